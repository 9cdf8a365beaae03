"""The headers that keep the pages safe."""

from __future__ import annotations

_POLICY = {
    # Nothing is loaded from elsewhere, nothing inline runs, and no string becomes HTML or script.
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
    "require-trusted-types-for": "'script'",
    "trusted-types": "'none'",
}

_WITH_RAZORPAY = {
    # checkout.js draws its frame with inline styles, and through innerHTML, which Trusted Types
    # would refuse; no script of our own writes HTML, on this page or any other. cdn has its check
    # for fraud, lumberjack takes its reports, and api has the frame in which a person pays.
    "script-src": "'self' https://checkout.razorpay.com https://cdn.razorpay.com",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: https://checkout.razorpay.com https://cdn.razorpay.com",
    "connect-src": "'self' https://checkout.razorpay.com https://cdn.razorpay.com "
    "https://api.razorpay.com https://lumberjack.razorpay.com",
    "frame-src": "'self' https://api.razorpay.com https://checkout.razorpay.com",
    "form-action": "'self' https://api.razorpay.com",
}


def _written(policy: dict[str, str]) -> str:
    return "; ".join(f"{name} {value}" for name, value in policy.items())


SITE = {
    "Content-Security-Policy": _written(_POLICY),
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    # Browsers keep the files but ask each time whether they changed (by ETag).
    "Cache-Control": "no-cache",
}
"""Every page's, unless it has others."""

_WIDENED = {
    name: value
    for name, value in {**_POLICY, **_WITH_RAZORPAY}.items()
    if "trusted-types" not in name
}

OF_PAGES = {
    "pay.html": {
        "Content-Security-Policy": _written(_WIDENED),
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), "
        'payment=(self "https://api.razorpay.com" "https://checkout.razorpay.com")',
        # A bank's page opens as a window that reports back to the one that opened it.
        "Cross-Origin-Opener-Policy": "same-origin-allow-popups",
    }
}
"""Those of single pages, by their file: Razorpay's payment window works on this one alone."""
