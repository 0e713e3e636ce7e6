#!/usr/bin/env python3
"""Lay out a large uv-shaped cache (as uv 0.13.8 writes it) and virtual environments that reference it.

    corpus.py ROOT [--entries 5000] [--files 200] [--venvs 60] [--dists 80]

ROOT/cache   archive-v0/<id>/…, wheels-v7 links and .http pointers, interpreter-v5 records of every second environment
ROOT/envs    envNNN/.venv with pyvenv.cfg and site-packages; the environment's number picks its
             link mode: 0-5 hardlink, 6-7 symlink, 8 copy, 9 hardlink with a few files edited
Deterministic for given arguments; about a million archive files by default. Prints a JSON summary.
"""
import argparse, base64, hashlib, json, os, random, struct, sys

def pack(v):
    """MessagePack of None, int, str, list and dict."""
    if v is None: return b"\xc0"
    if isinstance(v, int):
        return bytes([v]) if 0 <= v < 128 else b"\xcf" + struct.pack(">Q", v)
    if isinstance(v, str):
        b = v.encode()
        return (bytes([0xa0 | len(b)]) if len(b) < 32 else b"\xd9" + bytes([len(b)]) if len(b) < 256 else b"\xda" + struct.pack(">H", len(b))) + b
    if isinstance(v, list): return (bytes([0x90 | len(v)]) if len(v) < 16 else b"\xdc" + struct.pack(">H", len(v))) + b"".join(map(pack, v))
    return bytes([0x80 | len(v)]) + b"".join(pack(k) + pack(x) for k, x in v.items())

def http_pointer(id_, filename, size):
    """Payload, padding, entry id, a stand-in for the cache policy, checksum, payload length."""
    p = pack([id_, [{"Sha256": hashlib.sha256(filename.encode()).hexdigest()}], filename, 0, size])
    return p + b"\0" * (-len(p) % 16) + id_.encode()[:16].ljust(16) + b"\0" * 96 + b"\0" * 4 + struct.pack("<Q", len(p))

def aid(rng):
    return "".join(rng.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") for _ in range(16))

def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("root")
    ap.add_argument("--entries", type=int, default=5000)
    ap.add_argument("--files", type=int, default=200)
    ap.add_argument("--venvs", type=int, default=60)
    ap.add_argument("--dists", type=int, default=80)
    ap.add_argument("--seed", type=int, default=7)
    a = ap.parse_args()
    rng = random.Random(a.seed)
    cache = os.path.join(a.root, "cache"); envs = os.path.join(a.root, "envs")
    os.makedirs(os.path.join(cache, "archive-v0"))
    wheels = os.path.join(cache, "wheels-v7", "pypi"); os.makedirs(wheels)
    os.makedirs(os.path.join(cache, "sdists-v10"))
    open(os.path.join(cache, "CACHEDIR.TAG"), "w").write("Signature: 8a477f597d28d172789f06886806bc55")
    open(os.path.join(cache, ".gitignore"), "w").write("*")
    open(os.path.join(cache, ".lock"), "w").close()
    blob = (b"# line of a module, repeated\n" * 400)
    archives = []
    nfiles = 0
    for i in range(a.entries):
        name = f"pkg{i // 4:05d}"; ver = f"1.{i % 4}.0"
        id_ = aid(rng); base = os.path.join(cache, "archive-v0", id_)
        n = max(3, int(rng.lognormvariate(0, 1.0) * a.files * 0.6))
        n = min(n, a.files * 12)
        rel = []; rec = []
        ndirs = max(1, n // 15); dirs = [name]
        for d in range(1, ndirs):
            parent = rng.choice(dirs[-6:]); dirs.append(parent + f"/sub{d}")
        for d in dirs: os.makedirs(os.path.join(base, d), exist_ok=True)
        for k in range(n):
            r = f"{dirs[k % ndirs]}/m{k}.py"
            size = min(len(blob), int(rng.lognormvariate(7.2, 1.1)))
            data = f"{name} {ver} {k}\n".encode() + blob[:size]
            with open(os.path.join(base, r), "wb") as f: f.write(data)
            h = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            rec.append(f"{r},sha256={h},{len(data)}"); rel.append(r)
        di = f"{name}-{ver}.dist-info"; os.makedirs(os.path.join(base, di))
        for fn, txt in (("METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {ver}\n"), ("WHEEL", "Wheel-Version: 1.0\nGenerator: corpus\nRoot-Is-Purelib: true\nTag: py3-none-any\n")):
            data = txt.encode()
            with open(os.path.join(base, di, fn), "wb") as f: f.write(data)
            h = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            rec.append(f"{di}/{fn},sha256={h},{len(data)}"); rel.append(f"{di}/{fn}")
        rec.append(f"{di}/RECORD,,")
        with open(os.path.join(base, di, "RECORD"), "w") as f: f.write("\n".join(rec) + "\n")
        nfiles += len(rel) + 1
        if i % 50 != 49:                                   # two in a hundred have no pointer: orphans
            w = os.path.join(wheels, name); os.makedirs(w, exist_ok=True)
            os.symlink(f"../../../archive-v0/{id_}", os.path.join(w, f"{ver}-py3-none-any"))
            with open(os.path.join(w, f"{ver}-py3-none-any.http"), "wb") as f:
                f.write(http_pointer(id_, f"{name}-{ver}-py3-none-any.whl", n * 1000))
        archives.append((name, ver, id_, dirs, rel, rec))
    links = {"hardlink": 0, "symlink": 0, "copy": 0}
    for v in range(a.venvs):                       # 0-5 hardlink, 6-7 symlink, 8 copy, 9 hardlink with edits
        mode = "hardlink" if v % 10 < 6 or v % 10 == 9 else "symlink" if v % 10 < 8 else "copy"
        venv = os.path.join(envs, f"env{v:03d}", ".venv"); sp = os.path.join(venv, "lib", "python3.12", "site-packages")
        os.makedirs(sp); os.makedirs(os.path.join(venv, "bin")); os.symlink("/usr/bin/python3", os.path.join(venv, "bin", "python"))
        open(os.path.join(venv, "pyvenv.cfg"), "w").write("home = /usr/bin\nimplementation = CPython\nuv = 0.13.8\nversion_info = 3.12.4\ninclude-system-site-packages = false\n")
        open(os.path.join(venv, "CACHEDIR.TAG"), "w").write("Signature: 8a477f597d28d172789f06886806bc55")
        if v % 2 == 0:
            d = os.path.join(cache, "interpreter-v5", "0123456789abcdef"); os.makedirs(d, exist_ok=True)
            with open(os.path.join(d, f"{v:016x}.msgpack"), "wb") as f:
                prefix = os.path.abspath(venv); exe = prefix + "/bin/python"
                f.write(pack([[1700000000, 0], [{"os": "linux"}, [{}, {}, {}, True, prefix, "/usr", "/usr", "/usr/bin/python3.12", exe]]]))
        seen = set(); chosen = []
        while len(chosen) < min(a.dists, a.entries // 8):
            c = archives[int(rng.random() ** 1.6 * len(archives) * 0.8)]
            if c[0] not in seen: seen.add(c[0]); chosen.append(c)
        for name, ver, id_, dirs, rel, rec in chosen:
            src = os.path.join(cache, "archive-v0", id_); di = f"{name}-{ver}.dist-info"
            for d in dirs + [di]: os.makedirs(os.path.join(sp, d), exist_ok=True)
            for r in rel:
                s, t = os.path.join(src, r), os.path.join(sp, r)
                if mode == "hardlink": os.link(s, t)
                elif mode == "symlink": os.symlink(s, t)
                else:
                    with open(s, "rb") as f, open(t, "wb") as g: g.write(f.read())
                links[mode] += 1
            if v % 10 == 9 and len(rel) > 4:              # a user edited one file of each fourth distribution
                if sum(map(ord, name)) % 4 == 0:
                    t = os.path.join(sp, rel[0]); os.unlink(t)
                    with open(t, "w") as f: f.write("# edited\n")
            with open(os.path.join(sp, di, "INSTALLER"), "w") as f: f.write("uv")
            with open(os.path.join(sp, di, "RECORD"), "w") as f: f.write("\n".join(rec[:-1] + [f"{di}/INSTALLER,sha256=5hhM4Q4mYTT9z6QB6PGpUAW81PGNFrYrdXMj4oM_6ak,2", f"{di}/RECORD,,"]) + "\n")
    print(json.dumps({"entries": a.entries, "archive_files": nfiles, "venvs": a.venvs, "links": links}))

if __name__ == "__main__":
    sys.exit(main())
