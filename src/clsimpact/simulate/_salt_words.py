"""How the SALT proforma words what the returns table calls by its own names: word to printed label.

The wording is that of the proforma where it is documented; ``REVIEWS`` is ours.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "AGES",
    "CARER_AGES",
    "CARER_SUPPORT",
    "EXISTING_CLIENT_SEQUELS",
    "GROUPS",
    "NEW_CLIENT_SEQUELS",
    "PARTS",
    "REASONS",
    "REQUEST_SEQUELS",
    "REVIEWS",
    "ROUTES",
    "SETTINGS",
    "TOTAL",
    "TOTAL_KEY",
]

TOTAL: Final = "Total"
TOTAL_KEY: Final = "99"
"""What stands for a total in any dimension."""

AGES: Final = {"18 to 64": "Age 18 to 64", "65 and over": "Age 65 and over", TOTAL: TOTAL_KEY}
PARTS: Final = {"18 to 64": "a", "65 and over": "b", TOTAL: ""}
"""What a table about an age is called beside the table about all ages."""
CARER_AGES: Final = {
    "Under 18": "Under 18",
    "18 to 25": "18-25",
    "26 to 64": "26-64",
    "65 to 84": "65-84",
    "85 and over": "85 and over",
    TOTAL: TOTAL_KEY,
}
ROUTES: Final = {
    "Planned entry (transition)": "Planned Entry (Transition)",
    "Discharge from hospital": "Discharge from Hospital",
    "Diversion from hospital services": "Diversion from Hospital Services",
    "Self-funder with depleted funds": "Self-funder with depleted funds",
    "of which: self-funder with 12-week disregard or deferred payment": (
        "Self-funder with depleted funds of which previously provided with 12 week disregard or DP"
    ),
    "Community or other route": "Community / Other Route",
    "Prison": "Prison",
    TOTAL: TOTAL_KEY,
}
REQUEST_SEQUELS: Final = {
    "Short term: to maximise independence": "Short Term Support to Maximise Independence",
    "Long term: nursing": "Long Term Support (eligible services) - nursing care",
    "Long term: residential": "Long Term Support (eligible services) - residential care",
    "Long term: community": "Long Term Support (eligible services) - community",
    "Long term: prison": "Long Term Support (eligible services) - prison",
    "100% NHS funded care": "100% NHS Funded Care",
    "End of life": "End of Life",
    "Ongoing low level support": "Ongoing Low Level Support",
    "Short term: other": "Short Term Support (other)",
    "Universal services or signposted": "Universal Services/ Signposted to other services",
    "No services: deceased": "No Services Provided - Deceased",
    "No services: other reason": "No Services Provided - other reason",
    TOTAL: TOTAL_KEY,
}
_NHS: Final = "100% NHS funded care/end of life/deceased"
NEW_CLIENT_SEQUELS: Final = {
    "Early cessation: NHS funded care, end of life or deceased": (
        f"Early cessation (not leading to long term support) - {_NHS}"
    ),
    "Early cessation: no long term support": (
        "Early cessation (not leading to long term support) - other reason"
    ),
    "Early cessation: long term support": "Early cessation (leading to long term support)",
    "Long term support": "Long Term Support (any setting)",
    "No services: self-funding": "No services provided - needs identified but self-funding",
    "Ongoing low level support": "Ongoing Low Level Support",
    "Short term: other": "Short Term Support (other)",
    "No services: support declined": "No services provided - needs identified but support declined",
    "Universal services or signposted": (
        "No services provided - universal services/signposted to other services"
    ),
    "No services: no identified needs": "No services provided - no identified needs",
    TOTAL: TOTAL_KEY,
}
EXISTING_CLIENT_SEQUELS: Final = {
    "Early cessation: NHS funded care, end of life or deceased": (
        f"Early cessation (not returning to long term support) - {_NHS}"
    ),
    "Early cessation: no long term support": (
        "Early cessation (not returning to long term support) - other reason"
    ),
    "Early cessation: long term support": "Early cessation (return to long term support)",
    "Move to nursing care": "Move to Nursing care (from community)",
    "Move to residential care": "Move to Residential care (from community)",
    "Move to community": "Move to Community",
    "Long term support increased": "Level of Long Term Support Increased",
    "Long term support unchanged": "No Change in Long Term Support",
    "Long term support decreased": "Level of Long Term Support Decreased",
    "All long term support ended": "ALL Long Term Support Ended - no ongoing eligible needs",
    TOTAL: TOTAL_KEY,
}
SETTINGS: Final = {
    "Nursing": "Nursing",
    "Residential": "Residential",
    "Community: direct payment only": "Community Direct Payment Only",
    "Community: part direct payment": "Community Part Direct Payment",
    "Community: managed personal budget": "Community CASSR Managed Personal Budget",
    "Community: commissioned support only": "Community CASSR Commissioned Support Only",
    "Prison: managed personal budget": "Prison CASSR Managed Personal Budget",
    "Prison: commissioned support only": "Prison CASSR Commissioned Support Only",
    TOTAL: TOTAL_KEY,
}
# Support reasons stand in two columns: the group, and what divides it further.
GROUPS: Final = {
    "Physical support": ("Physical Support", TOTAL_KEY),
    "Sensory support": ("Sensory Support", TOTAL_KEY),
    "Memory and cognition": ("Support with Memory and Cognition", TOTAL_KEY),
    "Learning disability": ("Learning Disability Support", TOTAL_KEY),
    "Mental health": ("Mental Health Support", TOTAL_KEY),
    "Social support": ("Social Support", TOTAL_KEY),
    TOTAL: (TOTAL_KEY, TOTAL_KEY),
}
REASONS: Final = {
    "Physical support: access and mobility only": ("Physical Support", "Access and Mobility Only"),
    "Physical support: personal care": ("Physical Support", "Personal Care Support"),
    "Sensory support: visual impairment": ("Sensory Support", "Support for Visual Impairment"),
    "Sensory support: hearing impairment": ("Sensory Support", "Support for Hearing Impairment"),
    "Sensory support: dual impairment": ("Sensory Support", "Support for Dual Impairment"),
    "Memory and cognition": ("Support with Memory and Cognition", ""),
    "Learning disability": ("Learning Disability Support", ""),
    "Mental health": ("Mental Health Support", ""),
    "Social support: substance misuse": ("Social Support", "Substance Misuse Support"),
    "Social support: asylum seeker": ("Social Support", "Asylum Seeker Support"),
    "Social support: social isolation and other": ("Social Support", "Support for Social Isolation/Other"),
    TOTAL: (TOTAL_KEY, TOTAL_KEY),
}
CARER_SUPPORT: Final = {
    "Direct payment": "Direct Payment",
    "Part direct payment": "Part Direct Payment",
    "Managed personal budget": "CASSR Managed Personal Budget",
    "Commissioned support only": "CASSR Commissioned Support Only",
    "Information, advice and signposting": "Information, Advice and other Universal Services/Signposting",
    "No direct support": "No Direct Support to Carer",
    "Support to the cared-for person": (
        "Respite or Other Forms of Carer Support delivered to the cared-for person"
    ),
    TOTAL: TOTAL_KEY,
}
REVIEWS: Final = {  # measure to table, and what is counted
    "clients_planned_reviews": ("2", "Clients with planned reviews"),
    "clients_unplanned_reviews": ("1", "Clients with unplanned reviews"),
    "clients_both_reviews": ("2", "Clients with planned and unplanned reviews"),
    "clients_reviewed": ("2", "Clients reviewed"),
    "long_term_clients_over_12_months": ("2", "Total clients"),
}
