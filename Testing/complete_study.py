"""A reader study from its tumors to its report: ``python Testing/complete_study.py --out FOLDER``.

Tumors are synthesized in CTs with real lesions, a study is made of both, simulated readers read all of
it in the host's window by keys and mouse (one pauses, one is killed and goes on), and it is analyzed: every
step as a user takes it. With ``--picture FILE`` the report's main figures become a picture.

The readers see nothing: their answers are drawn from a model of known skill, their times are those of a
program. The report tests the program and says nothing about how real the tumors look.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from freetumor.segmentation.lesions import parts_of
from freetumor.study import read_key, read_study
from freetumor.study.answers import read_answers
from freetumor.study.readers_model import Population
from freetumor.volume import Volume, read_volume, write_volume

HERE = Path(__file__).resolve().parent
READER, DATA = HERE / "simulated_reader.py", HERE.parents[1] / "shared" / "data"
ORGANS = {"chest": "lung", "abdomen": "liver"}  # by group
# Of lesions that are used; of tumors that are asked for: larger ones fit into few of the lungs.
LARGEST_MM, ASKED_MM = 55.0, 45.0
MOST = 8  # lesions of one patient and class
# Sets of tumors made in each CT, of which the study shows the one whose places are most like those of real
# lesions.
CANDIDATES = 6
TITLE = "Lesions of {organs}, simulated readers"
SKILL = {"sensitivity": 0.68, "specificity": 0.72}  # of all simulated readers on all cases
# What the sample CT gets where there are no labelled CTs, to play the real lesions, and as synthetic ones.
STAND_INS_MM, STAND_INS = 12.0, 8
COMMENTS = ("edge too smooth", "no vessel leads to it", "same noise inside and outside")
KILLED_AFTER = 5  # answers of the second reader


@dataclass(frozen=True)
class Cases:
    """What ``freetumor study new`` is given. per_patient: lesions of one patient and class, at most."""

    real: Path
    synthetic: Path
    organs: str
    per_patient: int


def labelled_cases(
    data: Path, out: Path, seed: int, *, only: Collection[str] = (), candidates: int = CANDIDATES
) -> Cases:
    """CTs with labelled lesions, and sets of tumors of the size of their lesions in each of them.

    Args:
        data: folder with manifest.json, a catalogue as sources of kind "list" name it.
        only: ids of cases, of all that there are. candidates: sets of tumors in each.
    """
    manifest = data / "manifest.json"
    rows, names = [], []
    (out / "room").mkdir()
    for case in json.loads(manifest.read_text("utf-8"))["cases"]:
        organ = ORGANS.get(case["group"])
        lesions = case["labels"].get("2", {}).get("equiv_diameter_mm")
        wanted = not only or case["id"] in only
        if wanted and organ and lesions and max(lesions) <= LARGEST_MM:
            names.append(case["id"])
            room = out / "room" / f"{case['id']}.nii.gz"
            count, size = (1, min(lesions[0], ASKED_MM)) if len(lesions) == 1 else (MOST, np.median(lesions))
            _write_room(data / case["files"]["labels"], room, size)
            rows += [
                {
                    "ct": data / case["files"]["ct"],
                    "labels": room,
                    "organ": organ,
                    "diameter": size,
                    "count": count,
                    "engine": "procedural",
                    "seed": candidates * seed + candidate,
                    "out": out / "synthetic" / f"{case['id']}-{candidate}",
                }
                for candidate in range(candidates)
            ]
    table = out / "tumors.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    freetumor("synthesize-batch", table, allowed=(0, 2, 3))  # some do not fit, or fail the quality test
    real = out / "real.toml"
    source = f'[[sources]]\nkind = "list"\npath = {json.dumps(str(manifest))}\nnames = {json.dumps(names)}\n'
    real.write_text(source, "utf-8")
    return Cases(real, out / "synthetic", ",".join(ORGANS.values()), MOST)


def _write_room(labels: Path, file: Path, size: float) -> None:
    """Labels of an organ without its lesions and what is near to them: tumors of `size` mm shall not touch
    them.
    """
    volume = read_volume(labels)
    array = np.array(volume.array)
    for lesion in list(parts_of(array == 2)):
        near = lesion.box.grown(volume.geometry.margin(size / 2), array.shape)
        array[near.slices] = 0
    write_volume(Volume(array, volume.geometry), file)


def sample_cases(out: Path, seed: int) -> Cases:
    """The sample CT with tumors that play the real lesions, and sets of others."""
    from freetumor.sample_data import fetch_sample

    sample = fetch_sample()
    common = ("--organ", "lung", "--diameter", STAND_INS_MM, "--count", STAND_INS)
    first, real = out / "first", out / "real" / "sample"
    freetumor(
        *("synthesize", sample.ct, "--labels", sample.labels, "--label-convention", "totalsegmentator"),
        *(*common, "--seed", seed, "--out", first),
    )
    real.mkdir(parents=True)
    for name in ("ct.nii.gz", "labels.nii.gz"):
        shutil.copy(first / name, real / name)
    for candidate in range(CANDIDATES):
        freetumor(
            *("synthesize", real / "ct.nii.gz", "--labels", real / "labels.nii.gz", *common),
            *("--seed", seed + 1 + candidate, "--out", out / "synthetic" / f"sample-{candidate}"),
        )
    return Cases(out / "real", out / "synthetic", "lung", STAND_INS)


def complete(cases: Cases, out: Path, readers: int, seed: int) -> dict:
    """Make the study, let it be read, analyze it; the numbers of the report in ``out/report``."""
    folder, secret = out / "study", out / "key.json"
    title = TITLE.format(organs=cases.organs.replace(",", " and "))
    freetumor(
        *("study", "new", "--real", cases.real, "--synthetic", cases.synthetic, "--organs", cases.organs),
        *("--readers", readers, "--seed", seed, "--training", 2, "--pairs", 1, "--repeats", 0.15),
        *("--per-patient", cases.per_patient, "--title", title, "--out", folder, "--key", secret),
    )
    study = read_study(folder)
    for number, (reader, sheet) in enumerate(answer_sheets(folder, secret, seed).items()):
        path = out / f"{reader}.json"
        path.write_text(json.dumps(sheet), "utf-8")
        if number == 1:
            read(folder, reader, path, KILLED_AFTER)
            kept = len([a for a in read_answers(folder) if a["reader"] == reader])
            _expect(kept == KILLED_AFTER, f"{KILLED_AFTER} answers kept of {reader}, got {kept}")
        read(folder, reader, path)
        order = [shown.id for _block, shown in study.order(reader)]
        answered = [a["presentation"] for a in read_answers(folder) if a["reader"] == reader]
        _expect(answered == order, f"all {len(order)} cases answered by {reader}, got {len(answered)}")
    freetumor("study", "analyze", folder, "--key", secret, "--out", out / "report")
    return json.loads((out / "report" / "report.json").read_text("utf-8"))


def answer_sheets(folder: Path, secret: Path, seed: int) -> dict[str, dict[str, dict]]:
    """What each reader does at each presentation: keys, and perhaps a comment, a mark, another window, a
    pause. The readers' model knows the key; the readers do not.
    """
    study = read_study(folder)
    known = read_key(secret, study).cases
    main = [name for name in sorted(known) if known[name].role == "main"]
    main.sort(key=lambda name: not known[name].synthetic)
    synthetic = sum(known[name].synthetic for name in main)
    pairs = sorted({tuple(sorted(shown.cases)) for shown in study.orders[study.readers[0]]["pairs"]})
    rng = np.random.default_rng(seed)
    draw = Population(**SKILL).draw(rng, len(study.readers), synthetic, len(main) - synthetic, len(pairs))
    sheets: dict[str, dict[str, dict]] = {}
    for number, reader in enumerate(study.readers):
        sheets[reader], seen = {}, set()
        for place, (block, shown) in enumerate(study.order(reader)):
            (case, *_other), said = shown.cases, ""
            if block == "pairs":
                found = draw.pairs[number, pairs.index(tuple(sorted(shown.cases)))] > 0
                keys = ["Left" if known[case].synthetic == found else "Right", str(rng.integers(1, 4))]
            elif block == "training":
                keys = [str(rng.integers(1, 7))]
            else:
                table = draw.again if case in seen else draw.ratings
                rating = int(table[number, main.index(case)])
                keys, said = [str(rating)], str(rng.choice(COMMENTS)) if rating >= 5 else ""
                seen.add(case)
            chance = rng.random(3) < (0.5, 0.4, 0.3)
            sheets[reader][shown.id] = {
                "keys": keys,
                "comment": said if chance[0] else "",
                "mark": bool(said and chance[1]),
                "window": bool(chance[2]),
                "pause": place == 3,
            }
    return sheets


def read(folder: Path, reader: str, sheet: Path, killed_after: int | None = None) -> None:
    """Let a reader sit down at a program of its own, to the end or until it is killed."""
    options = [] if killed_after is None else ["--killed-after", str(killed_after)]
    command = [sys.executable, str(READER), str(folder), reader, str(sheet), *options]
    code = subprocess.run(command, check=False).returncode
    wanted = 0 if killed_after is None else -signal.SIGKILL
    _expect(code == wanted, f"exit code {wanted} of {reader}, got {code}")


def save_picture(report: Path, file: Path) -> None:
    """The report's forest plot, ROC curves and confusion table on one page."""
    import matplotlib as mpl
    from PIL import Image, ImageDraw, ImageFont

    numbers = json.loads((report / "report.json").read_text("utf-8"))
    width, gap, top = 1400, 24, 92
    names = ("forest", "roc", "confusion")
    forest, roc, table = (Image.open(report / "figures" / f"{name}.png").convert("RGB") for name in names)
    forest = forest.resize((width - 2 * gap, round(forest.height * (width - 2 * gap) / forest.width)))
    roc = roc.resize((round(roc.width * 560 / roc.height), 560))
    table = table.resize((round(table.width * 440 / table.height), 440))
    page = Image.new("RGB", (width, top + forest.height + gap + roc.height + gap), "white")
    page.paste(forest, (gap, top))
    below = top + forest.height + gap
    page.paste(roc, (gap + 40, below))
    page.paste(table, (width - gap - 40 - table.width, below + (roc.height - table.height) // 2))
    fonts = Path(mpl.get_data_path()) / "fonts" / "ttf"
    counts, draw = numbers["counts"], ImageDraw.Draw(page)
    head = f"{counts['readers_pooled']} simulated readers"
    said = (
        f"{counts['synthetic']} synthetic and {counts['real']} real lesions; positive class: "
        f"{numbers['positive']}. Answers are drawn from a model of readers (sensitivity "
        f"{SKILL['sensitivity']:.0%}, specificity {SKILL['specificity']:.0%})."
    )
    draw.text((gap, 18), head, "#16181c", ImageFont.truetype(str(fonts / "DejaVuSans-Bold.ttf"), 28))
    draw.text((gap, 56), said, "#5b6470", ImageFont.truetype(str(fonts / "DejaVuSans.ttf"), 18))
    file.parent.mkdir(parents=True, exist_ok=True)
    page.quantize(64).save(file, optimize=True)


def freetumor(*arguments: object, allowed: tuple[int, ...] = (0,)) -> None:
    """Run the command as a user does."""
    command = [sys.executable, "-m", "freetumor", *map(str, arguments)]
    print(" ".join(command[2:]), flush=True)
    code = subprocess.run(command, check=False).returncode
    _expect(code in allowed, f"freetumor {arguments[0]} to end well, got exit code {code}")


def _expect(holds: bool, what: str) -> None:
    if not holds:
        raise SystemExit(f"expected {what}")


def main() -> int:
    """Do all of it; the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for tumors, study, key and report; must not exist"
    )
    parser.add_argument("--data", type=Path, default=DATA, help="labelled CTs; without: the sample CT")
    parser.add_argument("--readers", type=int, default=4)
    parser.add_argument("--seed", type=int, default=6)
    parser.add_argument("--picture", type=Path, help="PNG of the report's main figures")
    options = parser.parse_args()
    out = options.out.resolve()
    out.mkdir(parents=True)
    there = (options.data / "manifest.json").is_file()
    cases = labelled_cases(options.data, out, options.seed) if there else sample_cases(out, options.seed)
    complete(cases, out, options.readers, options.seed)
    if options.picture:
        save_picture(out / "report", options.picture)
        print(f"picture: {options.picture}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
