"""Settings of the deliver service."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from tracemypods.deliver.files.settings import S3Settings
from tracemypods.deliver.invoices.numbers import LONGEST_SERIES
from tracemypods.deliver.jobs.delivering import Series
from tracemypods.deliver.pdf.renderer import EngineName
from tracemypods.events.settings import KafkaSettings
from tracemypods.kit.mongo import MongoSettings
from tracemypods.kit.settings import Mode
from tracemypods.mail.message import BANNER
from tracemypods.mail.settings import MailSettings

SeriesName = Annotated[str, Field(pattern=rf"^[A-Z0-9]{{1,{LONGEST_SERIES}}}$")]


class Settings(MailSettings, MongoSettings, KafkaSettings, S3Settings):
    """What the deliver service reads from its environment."""

    model_config = SettingsConfigDict(env_prefix="TRACEMYPODS_DELIVER_")

    invoice_series: SeriesName = Field(
        "TMP",
        description="What numbers of invoices begin with: `TMP/2627/0000123`. A new series begins "
        "with 1; one that was used must not come back in the same financial year",
    )
    credit_note_series: SeriesName = Field(
        "TCN", description="What numbers of credit notes begin with"
    )
    test_invoice_series: SeriesName = Field(
        "TEST", description="What numbers of invoices of test orders begin with"
    )
    test_credit_note_series: SeriesName = Field(
        "TSTC", description="What numbers of credit notes of test orders begin with"
    )
    engine: EngineName = Field(
        "typst",
        description="What renders PDFs: `typst`, or `html` (WeasyPrint with templates in HTML and "
        "CSS; wants Pango and HarfBuzz's subsetter on the system)",
    )
    render_seconds: float = Field(
        30.0, gt=0, description="How long rendering one document may take, seconds"
    )
    retry_seconds: float = Field(
        1.0,
        gt=0,
        description="The first pause after a failed try, seconds; each further one is four times "
        "as long, and after the eighth try a delivery is given up",
    )
    lease_seconds: float = Field(
        120.0,
        gt=0,
        description="For how long one process has a delivery alone; another one goes on after "
        "that, seconds",
    )

    @property
    def only_live(self) -> bool:
        """Whether test orders are refused."""
        return self.mode is Mode.PRODUCTION

    @property
    def banner(self) -> str | None:
        """A line that every document has."""
        return BANNER if self.mode is Mode.DEMO else None

    @property
    def series(self) -> Series:
        """What numbers begin with."""
        return Series(
            invoices=self.invoice_series,
            credit_notes=self.credit_note_series,
            test_invoices=self.test_invoice_series,
            test_credit_notes=self.test_credit_note_series,
        )

    @model_validator(mode="after")
    def _check_series(self) -> Self:
        series = self.series
        names = {
            series.invoices,
            series.credit_notes,
            series.test_invoices,
            series.test_credit_notes,
        }
        if len(names) < 4:
            raise ValueError("TRACEMYPODS_DELIVER_…_SERIES: each series needs a name of its own")
        return self
