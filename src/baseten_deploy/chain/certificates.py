"""What a push gets of the run's way out: its proxies, and one file with the authorities that the run trusts."""

from pathlib import Path

from baseten_deploy.network.certificates import public
from baseten_deploy.network.way_out import WayOut

_LOOPBACK = "localhost,127.0.0.1,::1"  # never reached through a proxy, as by the run itself


def handed_on(way: WayOut, directory: Path) -> tuple[dict[str, str], str]:
    """Variables for the program, and the path of the file for boto3, `""` where the public authorities are enough."""
    passed = way.proxy_variables
    if passed:
        excepted = ",".join(filter(None, (passed.get("no_proxy"), passed.get("NO_PROXY"), _LOOPBACK)))
        passed |= {"NO_PROXY": excepted, "no_proxy": excepted}
    files = way.certificate_files
    if not files:
        return passed, ""
    bundle = directory / "authorities.pem"
    bundle.write_bytes(b"\n".join(Path(each).read_bytes() for each in (public(), *files)))
    return {**passed, "REQUESTS_CA_BUNDLE": str(bundle), "SSL_CERT_FILE": str(bundle)}, str(bundle)
