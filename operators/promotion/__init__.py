"""A release takes over traffic step by step, and is taken back when it does not keep what it promised."""

from windlass.operators.promotion.operator import setup
from windlass.operators.promotion.sample import sample_promotion
from windlass.operators.promotion.settings import PromotionSettings
from windlass.operators.promotion.types import Promotion

__all__ = ("Promotion", "PromotionSettings", "sample_promotion", "setup")
