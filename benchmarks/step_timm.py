"""The other peer: timm's ViT in PyTorch with AdamW, as timm's users train it, without torch.compile."""

import numpy as np
import torch
from step_shapes import CLIP, DECAY, FETCH, LR, TOTAL, WARMUP, Work, timed
from timm.models.vision_transformer import VisionTransformer
from torch.nn.functional import binary_cross_entropy_with_logits, one_hot


class Side:
    def __init__(self, work: Work, images: np.ndarray, labels: np.ndarray) -> None:
        model = work.model
        self.device = torch.device("cuda" if torch.cuda.is_available() and work.precision == "bfloat16" else "cpu")
        self.vit = VisionTransformer(
            img_size=work.side,
            patch_size=model.patch_size,
            in_chans=work.channels,
            num_classes=work.classes,
            global_pool="avg",
            class_token=False,
            fc_norm=False,
            embed_dim=model.width,
            depth=model.depth,
            num_heads=model.num_heads,
            mlp_ratio=model.mlp_dim / model.width,
        ).to(self.device)
        self.optimizer = torch.optim.AdamW(self.vit.parameters(), LR, weight_decay=DECAY)
        warmup = torch.optim.lr_scheduler.LinearLR(self.optimizer, 1e-3, total_iters=WARMUP)
        cosine = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, TOTAL - WARMUP)
        self.schedule = torch.optim.lr_scheduler.SequentialLR(self.optimizer, [warmup, cosine], [WARMUP])
        self.work, self.images, self.labels = work, images.transpose(0, 3, 1, 2).copy(), labels.astype(np.int64)
        self.compiling = timed(lambda: self.advance(1))  # nothing is compiled: its first step

    def advance(self, steps: int) -> float:
        loss = None
        for number in range(steps):
            loss = self._step()
            if number % FETCH == 0:
                loss.item()
        return loss.item()

    def _step(self) -> torch.Tensor:
        images, labels = (torch.from_numpy(rows).to(self.device) for rows in (self.images, self.labels))
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.work.precision == "bfloat16"):
            logits = self.vit(images)
        targets = one_hot(labels, self.work.classes).float()
        loss = binary_cross_entropy_with_logits(logits.float(), targets, reduction="none").sum(1).mean()
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.vit.parameters(), CLIP)
        self.optimizer.step()
        self.schedule.step()
        return loss.detach()
