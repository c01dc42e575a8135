"""The carrier's parts, put together; the interface and the phones work on them."""

from __future__ import annotations

from dataclasses import dataclass

from channels.sandbox.carrier.courier import Courier
from channels.sandbox.carrier.exchange import Exchange
from channels.sandbox.carrier.inbound import Inbound
from channels.sandbox.carrier.messaging import Messaging
from channels.sandbox.carrier.recordings import Recordings
from channels.sandbox.carrier.settings import CarrierSettings
from channels.sandbox.carrier.voice.switch import Switch
from domain.clock import Clock


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that works together."""

    exchange: Exchange
    courier: Courier
    messaging: Messaging
    inbound: Inbound
    recordings: Recordings
    switch: Switch


def build_parts(settings: CarrierSettings, clock: Clock) -> Parts:
    """Make them; nothing runs yet."""
    exchange = Exchange(settings, clock)
    courier = Courier(exchange)
    messaging = Messaging(exchange, courier)
    recordings = Recordings(exchange, courier)
    switch = Switch(exchange, courier, recordings)
    return Parts(exchange, courier, messaging, Inbound(exchange, courier, messaging), recordings, switch)
