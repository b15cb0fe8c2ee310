# SPDX-License-Identifier: GPL-2.0-or-later
"""A proxy whose script takes all memory when it is told to: somebody else's leak."""
import time

from .kamailio import Proxy
from .sip import Guesser

# {bytes: so many values}, which fill 8 MB from large to small; all of one request.
SIZES = {25000: 260, 4000: 12, 400: 12, 40: 12}

_SHM = """
route[HOG_SHM] {
	$var(n) = 0;
	while ($var(n) < $(hdr(X-Count){s.int})) {
		$sht(hog=>$hdr(X-Name)-$var(n)) = $hdr(X-Fill);
		$var(n) = $var(n) + 1;
	}
	sl_send_reply("299", "taken");
	exit;
}
"""


def _pkg():
    """One variable for each value, and one that is given back at the end."""
    lines = ["route[HOG_PKG] {", "\t$var(back) = $hdr(X-Back);"]
    lines += ["\t$var(h%d_%d) = $hdr(X-%d);" % (size, one, size) for size in SIZES for one in range(SIZES[size])]
    lines += ["\t$var(back) = 0;", "\texit;", "}", "route[HOG_FREE] {"]
    lines += ["\t$var(h%d_%d) = 0;" % (size, one) for size in SIZES for one in range(SIZES[size])]
    return "\n".join(lines + ["\texit;", "}", ""])


class Hog(Proxy):
    """One UDP worker; the header X-Hog asks for a route: SHM, PKG or FREE. All have bob's password."""

    def __init__(self, **more):
        super().__init__(children=1, extra="#\n", **more)

    def _wrap(self, config, extra):
        path = super()._wrap(config, extra)
        with open(config, encoding="utf-8") as text:
            whole = text.read()
        # db_sqlite falls over when it has no memory for a row
        whole = whole.replace('auth_check("$fd", "subscriber", "1")', 'pv_auth_check("$fd", "bob-secret", "0", "1")')
        whole = whole.replace("request_route {", """loadmodule "htable.so"
modparam("htable", "htable", "hog=>size=14;")
max_while_loops=1000000
%s%s
request_route {
	if ($hdr(X-Hog) == "SHM") { route(HOG_SHM); }
	if ($hdr(X-Hog) == "PKG") { route(HOG_PKG); }
	if ($hdr(X-Hog) == "FREE") { route(HOG_FREE); }
""" % (_SHM, _pkg()), 1)
        with open(path, "w", encoding="utf-8") as out:
            out.write(whole)
        return path

    def shm_free(self):
        return self.rpc("core.shmmem")["free"]

    def shm_of_authban(self):
        """Bytes of shared memory that the module has, by the allocator's own book."""
        return self.rpc("mod.stats", "authban", "shm")[1]["Total"]

    def take_shm(self):
        """Until there is not even room for a small value; how many bytes are left."""
        with Guesser("hog", self.target, source="127.22.9.9", timeout=10) as guesser:
            for size in (8000, 800, 80, 8):
                count = self.shm_free() // (size + 100) + 100
                assert guesser.send([("X-Hog", "SHM"), ("X-Name", "s%d" % size), ("X-Count", str(count)),
                                     ("X-Fill", "x" * size)]).status == 299
        return self.shm_free()

    def take_pkg(self, back):
        """The UDP worker has no private memory any more, but what `back` bytes of it give back."""
        with Guesser("hog", self.target, source="127.22.9.9", timeout=1) as guesser:
            headers = [("X-Hog", "PKG")] + [("X-%d" % size, "x" * size) for size in SIZES]
            guesser.link.send(guesser.build(headers + ([("X-Back", "x" * back)] if back else [])))

    def free_pkg(self):
        with Guesser("hog", self.target, source="127.22.9.9", timeout=1) as guesser:
            for _ in range(3):
                guesser.link.send(guesser.build([("X-Hog", "FREE")]))
                time.sleep(0.02)

    def pkg_free(self):
        """Of the UDP worker, as it wrote it down."""
        return next(row["free"] for row in self.rpc("pkg.stats") if row["desc"].startswith("udp receiver"))
