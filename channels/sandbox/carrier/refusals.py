"""What the interface refuses, with the provider's own codes (twilio.com/docs/api/errors), and how it says so."""

from __future__ import annotations

from typing import Final

#: Code → (HTTP status, sentence).
SENTENCES: Final[dict[int, tuple[int, str]]] = {
    20001: (400, "Unknown parameters"),
    20003: (401, "Authenticate"),
    20004: (405, "Method not allowed"),
    20005: (401, "Account not active"),
    20009: (400, "Resource not in a state in which it can be deleted or changed"),
    20404: (404, "The requested resource {detail} was not found"),
    20429: (429, "Too Many Requests"),
    20500: (500, "An internal server error has occurred"),
    20503: (503, "Service Unavailable"),
    21201: (400, "No 'To' number is specified"),
    21205: (400, "Url parameter is required"),
    21210: (400, "The source phone number provided, {detail}, is not yet verified for your account"),
    21211: (400, "Invalid 'To' Phone Number: {detail}"),
    21212: (400, "Invalid From Number (caller ID): {detail}"),
    21213: (400, "Caller phone number is required"),
    21214: (400, "'To' phone number cannot be reached"),
    21215: (400, "Account not authorized to call {detail}"),
    21216: (400, "Account not allowed to call {detail}"),
    21217: (400, "Phone number does not appear to be valid"),
    21218: (400, "Invalid ApplicationSid"),
    21220: (400, "Call is not in-progress. Cannot redirect."),
    21408: (400, "Permission to send an SMS has not been enabled for the region of the number {detail}"),
    21421: (400, "PhoneNumber is not a valid phone number"),
    21422: (400, "PhoneNumber is not available"),
    21602: (400, "Message body is required"),
    21603: (400, "A 'From' phone number or a Messaging Service is required"),
    21604: (400, "A 'To' phone number is required"),
    21606: (400, "'From' {detail} is not a Twilio phone number or Short Code of your account"),
    21609: (400, "Invalid 'StatusCallback' url: {detail}"),
    21610: (400, "Attempt to send to unsubscribed recipient"),
    21611: (429, "This 'From' number has exceeded the maximum number of queued messages"),
    21612: (400, "The 'To' phone number {detail} is not currently reachable via SMS"),
    21614: (400, "'To' number is not a valid mobile number: {detail}"),
    21617: (400, "The concatenated message body exceeds the 1600 character limit"),
    21620: (400, "Invalid media URL(s)"),
    21623: (400, "Number of media files exceeds allowed limit"),
    21701: (404, "The Messaging Service {detail} does not exist"),
    21703: (400, "The Messaging Service does not have a phone number available to send a message"),
    22001: (409, "Queue {detail} already exists"),
    22002: (400, "Queue still has callers"),
    30409: (400, "The message can no longer be canceled"),
    35114: (400, "SendAt must be between 300 seconds and 35 days from now"),
}

#: Why a message was not delivered, in the words of the provider's dictionary.
UNDELIVERED: Final[dict[int, str]] = {
    11200: "HTTP retrieval failure",
    30001: "Queue overflow",
    30002: "Account suspended",
    30003: "Unreachable destination handset",
    30004: "Message blocked",
    30005: "Unknown destination handset",
    30006: "Landline or unreachable carrier",
    30007: "Message filtered",
    30008: "Unknown error",
    30036: "Validity period expired",
}


class Refusal(Exception):  # it is the answer, not a fault of ours
    """A request that the interface refuses; `code` is the provider's."""

    def __init__(
        self, code: int, detail: str = "", *, status: int = 0, retry_after: float | None = None
    ) -> None:
        known_status, sentence = SENTENCES[code]
        self.code = code
        self.status = status or known_status
        self.retry_after = retry_after
        super().__init__(sentence.format(detail=detail))

    def as_json(self) -> dict[str, object]:
        """The body of the answer."""
        return {
            "code": self.code,
            "message": str(self),
            "more_info": f"https://www.twilio.com/docs/errors/{self.code}",
            "status": self.status,
        }
