"""Fine-tuning of language models by low-rank adapters: texts, families, the tuning itself, and what it leaves."""

__all__ = ()
