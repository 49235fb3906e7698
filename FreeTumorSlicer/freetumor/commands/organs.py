"""``freetumor label-organs``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from freetumor.commands.common import AssumeHu, Ct, Json, Organ, Series, progress, say


def label_organs(
    ct: Ct,
    organ: Organ,
    out: Annotated[Path, typer.Option(help="Label map to write (.nii.gz, .nii, .nrrd, .mha).")],
    series: Series = None,
    assume_hu: AssumeHu = False,
    as_json: Json = False,
) -> None:
    """Label an organ from the CT alone."""
    from freetumor.anatomy import organ as row_of
    from freetumor.organs import label_organ
    from freetumor.volume import check_ct, check_output, read_volume, write_volume

    row = row_of(organ)
    check_output(out)
    with progress() as step:
        step("reading", 0.0)
        volume = read_volume(ct, series=series)
        check_ct(volume, assume_hu=assume_hu)
        step("labeling", 0.3)
        labels = label_organ(volume, row)
        step("writing", 0.9)
        write_volume(labels, out)
    ml = float((labels.array == row.organ_label).sum()) * labels.geometry.voxel_volume / 1000.0
    result = {"status": "done", "organ": row.name, "out": str(out), "label": row.organ_label}
    result["ml"] = round(ml, 1)
    say(result, as_json, f"{row.site.meaning.lower()}: {ml:.0f} ml, id {row.organ_label}, in {out}")
