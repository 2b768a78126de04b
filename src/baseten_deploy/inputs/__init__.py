"""What a user may ask for: the inputs, the settings that they become, and which of them go together.

`table` has every input once; `settings` reads them into one frozen object; `combinations` says what cannot go together.
Knows no network and reads no file. What the Truss itself may say is `truss`; what a run answers (the outputs) is `ci`.
"""
