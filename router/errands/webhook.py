"""Posts the webhooks of rules. Source of the headers: channels/http/hooks.py; the body is described in docs/webhooks.md."""

from __future__ import annotations

import hashlib
import json
import time
from datetime import timedelta

import aiohttp

from channels.http.hooks import Hooks
from channels.http.public import NotPublic
from router.performing import NotNow, Outcome, Task


def hook_id(task: Task) -> str:
    """What names a webhook at every attempt. Pure."""
    return "msg_" + hashlib.blake2b(task.key.encode(), digest_size=15).hexdigest()


class WebhookErrand:
    """router.performing.Outside for `webhook`."""

    def __init__(self, hooks: Hooks) -> None:
        self._hooks = hooks

    async def __call__(self, task: Task) -> Outcome:
        """Post it once. Anything but 2xx is a failure; 410 says that nobody wants it any more."""
        body = json.dumps(task.payload["body"], ensure_ascii=False, separators=(",", ":")).encode()
        try:
            answer = await self._hooks.post(task.payload["url"], hook_id(task), body, int(time.time()))
        except NotPublic as error:
            words = f"{error}; name it in router.webhooks.allowed if it is meant."
            raise NotNow(words, final=True) from error
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, NotPublic):
                words = f"{error.os_error}; name it in router.webhooks.allowed if it is meant."
                raise NotNow(words, final=True) from error
            raise NotNow(f"The receiver cannot be reached: {error}.") from error
        except (aiohttp.InvalidURL, ValueError) as error:
            raise NotNow(f"This address cannot be called: {error}.", final=True) from error
        except TimeoutError as error:
            raise NotNow("The receiver did not answer in time.") from error
        except (aiohttp.ClientError, OSError) as error:
            raise NotNow(f"The receiver cannot be reached: {type(error).__name__} {error}.") from error
        if 200 <= answer.status < 300:
            return Outcome()
        words = f"The receiver answered {answer.status}: {answer.words}".rstrip(": ")
        if 300 <= answer.status < 400:
            words = f"The receiver answered {answer.status}; redirects are not followed."
        after = None if answer.retry_after is None else timedelta(seconds=answer.retry_after)
        raise NotNow(words, final=answer.status == 410, after=after)
