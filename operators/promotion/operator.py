"""The promotion operator is one controller, given to a manager that the caller runs."""

from windlass.controller.manager import Manager
from windlass.operators.promotion.reconciler import PromotionReconciler
from windlass.operators.promotion.settings import PromotionSettings
from windlass.operators.promotion.types import Promotion

__all__ = ("setup",)


def setup(manager: Manager, settings: PromotionSettings | None = None) -> None:
    """Register the controller of Promotion.

    Targets are not watched, but looked at while a promotion is under way: KServe need not be installed.
    """
    chosen = settings if settings is not None else PromotionSettings()
    manager.register(Promotion)
    manager.controller(PromotionReconciler(chosen), for_=Promotion, workers=chosen.workers, name="promotion")
