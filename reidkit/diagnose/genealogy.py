"""Which cluster feeds which from one epoch to the next, what became of each, and when an identity was lost for good."""

from __future__ import annotations

import numpy as np
import pandas as pd

from reidkit.diagnose.counts import cell_frame
from reidkit.diagnose.identities import identity_table
from reidkit.diagnose.inputs import OUTLIER, check_inputs
from reidkit.errors import DiagnosisError

EVENTS = ("continues", "merges", "splits", "dissolves")
FLOW_COLUMNS = {
    "epoch": "epoch of the cluster; the flow goes to the next epoch",
    "cluster": "cluster, -1 for the outliers",
    "next_cluster": "cluster in the next epoch, -1 for the outliers",
    "images": "images that went this way",
    "share": "share of the cluster's images, 0 to 1",
    "share_of_next": "share of the next cluster's images, 0 to 1",
}
FATE_COLUMNS = {
    "epoch": "epoch of the cluster",
    "cluster": "its number",
    "images": "images in it",
    "event": "continues: more than half of it goes to a cluster of which it is more than half; merges: more than half of it goes "
    "to one of which it is half or less; splits: no cluster gets more than half; dissolves: more than half become outliers",
    "successor": "cluster of the next epoch that gets most of its images, -1 for the outliers",
    "share": "share of its images that go there, 0 to 1",
    "ancestor": "its line: the number of the line's first cluster in the first epoch where the line existed, as epoch:cluster",
}

RESTLESS_COLUMNS = {
    "cluster": "cluster of the epoch, -1 for the outliers",
    "event": "what became of it (see `FATE_COLUMNS`); empty for the outliers",
    "next_cluster": "cluster of the next epoch, -1 for the outliers",
    "images": "images that went this way",
    "next_images": "images in the next cluster, wherever they came from",
}


def flow_table(labels: np.ndarray) -> pd.DataFrame:
    """One row a non-empty flow between two epochs of `labels` (E, N), in ascending order; see `FLOW_COLUMNS`."""
    _check(labels)
    frames = []
    for epoch in range(len(labels) - 1):
        flow = cell_frame(cluster=labels[epoch] + 1, next_cluster=labels[epoch + 1] + 1)
        flow[["cluster", "next_cluster"]] -= 1
        flow["share"] = flow["images"] / flow.groupby("cluster")["images"].transform("sum")
        flow["share_of_next"] = flow["images"] / flow.groupby("next_cluster")["images"].transform("sum")
        frames.append(flow.assign(epoch=epoch))
    return pd.concat(frames, ignore_index=True)[list(FLOW_COLUMNS)] if frames else pd.DataFrame(columns=list(FLOW_COLUMNS))


def fate_table(labels: np.ndarray) -> pd.DataFrame:
    """One row a cluster of every epoch but the last: what became of it; see `FATE_COLUMNS`.

    A line goes on through clusters that *continue*; everything else starts a new one.
    """
    flows = flow_table(labels)
    flows = flows[flows["cluster"] != OUTLIER]
    sizes = flows.groupby(["epoch", "cluster"])["images"].sum()
    order = flows.sort_values(["epoch", "cluster", "images", "next_cluster"], ascending=[True, True, False, True])
    best = order.drop_duplicates(["epoch", "cluster"]).reset_index(drop=True)
    most, gone = best["share"] > 0.5, best["next_cluster"] == OUTLIER
    best["event"] = np.select([~most, gone, best["share_of_next"] > 0.5], ["splits", "dissolves", "continues"], "merges")
    best["images"] = sizes.to_numpy()
    best = best.rename(columns={"next_cluster": "successor"})
    line: dict[tuple[int, int], str] = {}
    for row in best.itertuples():
        own = line.setdefault((row.epoch, row.cluster), f"{row.epoch}:{row.cluster}")
        if row.event == "continues":
            line[(row.epoch + 1, row.successor)] = own
    best["ancestor"] = [line[key] for key in zip(best["epoch"], best["cluster"])]
    return best[list(FATE_COLUMNS)]


def restless_flows(labels: np.ndarray, epoch: int, most: int = 12) -> pd.DataFrame:
    """Where the images of an epoch's most restless clusters go, and which outliers join them; see `RESTLESS_COLUMNS`.

    A cluster's unrest is the number of its images that do not go with most of it or have no cluster any more, and of the
    images that it is merged with. Larger clusters come first among equals, then lower numbers.
    """
    pair = labels[epoch : epoch + 2]
    flows, fates = flow_table(pair), fate_table(pair)
    flows["next_images"] = flows.groupby("next_cluster")["images"].transform("sum")
    size = flows.drop_duplicates("next_cluster").set_index("next_cluster")["next_images"]
    together = (fates["images"] * fates["share"]).round().astype(np.int64)
    extra = {"merges": fates["successor"].map(size) - together, "dissolves": together}
    unrest = fates["images"] - together
    for event, images in extra.items():
        unrest += images.where(fates["event"] == event, 0)
    order = fates.assign(unrest=unrest).sort_values(["unrest", "images", "cluster"], ascending=[False, False, True])
    chosen = flows["cluster"].isin(order["cluster"].head(most))
    reached = set(flows.loc[chosen, "next_cluster"]) - {OUTLIER}
    joined = (flows["cluster"] == OUTLIER) & flows["next_cluster"].isin(reached)
    flows["event"] = flows["cluster"].map(fates.set_index("cluster")["event"]).fillna("")
    return flows.loc[chosen | joined, list(RESTLESS_COLUMNS)].reset_index(drop=True)


def identity_fates(labels: np.ndarray, cameras: object, identities: object) -> pd.DataFrame:
    """One row a true identity: identity, images, epochs_lost, first_lost, lost_for_good, and its status in each epoch.

    `lost_for_good` is the epoch from which on it is lost (swallowed or unseen) until the end; empty when it is there at the
    end. `first_lost` is the first epoch in which it was lost; empty when it never was.
    """
    _check(labels)
    tables = [identity_table(check_inputs(label, cameras, identities)) for label in labels]
    lost = np.stack([table["lost"].to_numpy(bool) for table in tables])
    present = np.flatnonzero(~lost.all(axis=0))
    since = np.zeros(lost.shape[1], np.int64)
    since[present] = len(labels) - np.argmin(lost[::-1, present], axis=0)
    never = pd.NA
    frame = tables[0][["identity", "images"]].assign(epochs_lost=lost.sum(axis=0))
    frame["first_lost"] = pd.array([int(np.argmax(x)) if x.any() else never for x in lost.T], dtype="Int64")
    frame["lost_for_good"] = pd.array([int(s) if s < len(labels) else never for s in since], dtype="Int64")
    return pd.concat([frame, *(table["status"].rename(f"epoch {e}") for e, table in enumerate(tables))], axis=1)


def _check(labels: np.ndarray) -> None:
    if labels.ndim != 2 or not len(labels):
        raise DiagnosisError(f"labels {labels.shape}.", rule="Labels are (epochs, images).", action="Train for an epoch first.")
