"""What the checked-in units say that Podman does not tell of the pods that it runs from them."""

import pathlib
import re


class Unit:
    """A unit file; keys that come more than once keep all their values."""

    def __init__(self, path):
        self.name = path.stem
        self.values = {}
        section = None
        for line in path.read_text().splitlines():
            if line.startswith("["):
                section = line.strip("[]")
            elif "=" in line and not line.startswith("#"):
                key, value = line.split("=", 1)
                self.values.setdefault((section, key), []).append(value)

    def all(self, section, key):
        return self.values.get((section, key), [])

    def one(self, section, key):
        return (self.all(section, key) or [None])[-1]

    def secrets(self):
        """Each with `name`, `type`, `target`, and `key`, under which the Secret has it."""
        for line in self.all("Container", "Secret"):
            name, *options = line.split(",")
            yield {
                "name": name,
                "key": name.removeprefix("undercroft-"),
                **dict(option.split("=", 1) for option in options),
            }

    def tmpfs_mebibytes(self, path):
        for line in self.all("Container", "Tmpfs"):
            at, options = line.split(":", 1)
            if at == path:
                return mebibytes(dict(re.findall(r"(\w+)=(\w+)", options))["size"])
        raise SystemExit(f"{self.name}: there is no Tmpfs={path} with a size")


CONTAINERS = [Unit(path) for path in sorted(pathlib.Path("quadlet").glob("*.container"))]
PODS = {path.stem: Unit(path) for path in pathlib.Path("quadlet").glob("*.pod")}


def of_container(name):
    """The unit that runs a container of this name."""
    for unit in CONTAINERS:
        pattern = re.escape(unit.one("Container", "ContainerName")).replace("%i", r"\d+")
        if re.fullmatch(pattern, name):
            return unit
    raise SystemExit(f"no unit in quadlet/ runs the container {name}")


def wanted_pods():
    """The pods of undercroft.target, as (unit, pod)."""
    target = Unit(pathlib.Path("systemd/undercroft.target"))
    names = " ".join(target.all("Unit", "Wants")).split()
    for name in names:
        stem, _, instance = name.removesuffix(".service").partition("@")
        unit = PODS.get(stem + "@" if instance else stem)
        if unit:
            yield unit, unit.one("Pod", "PodName").replace("%i", instance)


def networks(pod_unit):
    """Without what all their names begin with."""
    names = pod_unit.all("Pod", "Network")
    return sorted(name.removeprefix("undercroft-").removesuffix(".network") for name in names)


def closed_networks():
    """Those that lead nowhere else."""
    for path in sorted(pathlib.Path("quadlet").glob("*.network")):
        if Unit(path).one("Network", "Internal") == "true":
            yield path.stem.removeprefix("undercroft-")


def listening(socket, instance):
    """The address of a socket unit's instance."""
    drop_in = Unit(next(pathlib.Path(f"systemd/{socket}@{instance}.socket.d").glob("*.conf")))
    return drop_in.one("Socket", "ListenDatagram") or drop_in.one("Socket", "ListenStream")


def seconds(text):
    return int(text.removesuffix("s"))


def mebibytes(text):
    number, unit = re.fullmatch(r"(\d+)([mMgG])", text).groups()
    return int(number) * (1024 if unit in "gG" else 1)


def millicores(text):
    return int(text.removesuffix("%")) * 10
