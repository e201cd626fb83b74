"""What the rest of the house may use of this domain."""

from fondaco.domains.desk.dealer import Dealer
from fondaco.domains.desk.nights import night_jobs
from fondaco.domains.desk.pricing import Markup

__all__ = ["Dealer", "Markup", "night_jobs"]
