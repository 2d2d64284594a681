"""The model of many requests: opened once, with adapters put on, switched off and taken off."""

from .build import Setting, frozen_copy
from .model import Adapted, open_adapter
from .noise import NoiseContext
from .parallel import Ranks
from .passes import Scored
from .spec import Spec


class KeptModel:
    """One model at a time, on the device; another one takes its place."""

    def __init__(self, ranks: Ranks):
        self._ranks = ranks
        self._key: tuple | None = None
        self._adapted: Adapted | None = None
        #: Folder of the adapter that is on it, and whether it has a say.
        self._adapter: str | None = None
        self._is_on = False

    def of(self, spec: Spec, setting: Setting) -> Scored:
        """What a spec names, ready to score until the next call."""
        key = (spec.model["path"], spec.model["hash"], setting)
        if key != self._key:
            # The old one goes first: both never take memory at once.
            self._key = self._adapted = self._adapter = None
            self._keep(frozen_copy(spec, setting))
            self._key, self._is_on = key, True
        adapter = spec.content["adapter"]
        if adapter is not None and adapter != self._adapter:
            self._put_on(adapter)
        # Without an adapter the base is what is left of one that is switched off.
        if self._is_on != (adapter is not None):
            self._is_on = adapter is not None
            self._adapted.set_adapters(self._is_on)
        return Scored(self._adapted, chunk=setting.chunk)

    def _put_on(self, folder: str) -> None:
        causal = self._adapted.causal if self._adapter is None else self._adapted.whole.unload()
        self._adapted, self._adapter = Adapted(causal, causal, NoiseContext()), None
        self._keep(open_adapter(causal, folder))
        self._adapter, self._is_on = folder, True

    def _keep(self, adapted: Adapted) -> None:
        for parameter in adapted.whole.parameters():
            parameter.requires_grad_(False)
        adapted.whole.eval().to(self._ranks.device)
        self._adapted = adapted
