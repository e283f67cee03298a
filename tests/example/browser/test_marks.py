"""The form of a mark in the admin: fields are suggested for the chosen model."""

import pytest

from tests.example.browser.conftest import violations

ADD = "/admin/customer_history/confidentialfield/add/"

MODELS = "(list) => [...new Set([...list.options].map((one) => one.dataset.model))]"
VALUES = "(list) => [...list.options].map((one) => one.value)"


class TestSuggestions:
    def test_of_the_chosen_model(self, visit):
        page = visit(ADD, user="admin")
        suggestions = page.locator("datalist")
        page.get_by_label("Model:").select_option("crm.customer")
        page.get_by_label("Field:").focus()
        assert suggestions.evaluate(MODELS) == ["crm.customer"]
        assert {"ssn", "monthly_rate"} <= set(suggestions.evaluate(VALUES))
        page.get_by_label("Model:").select_option("crm.note")
        page.get_by_label("Field:").focus()
        assert suggestions.evaluate(MODELS) == ["crm.note"]
        # Django's admin has no icon for the browser.
        assert [one for one in page.complaints if "404" not in one] == []

    @pytest.mark.parametrize("has_script", [True, False])
    def test_of_all_models(self, visit, has_script):
        page = visit(ADD, user="admin", java_script_enabled=has_script)
        page.get_by_label("Field:").focus()
        html = page.content()
        assert '<option value="ssn" data-model="crm.customer">Customer: SSN</option>' in html
        assert 'data-model="crm.note">Note: ' in html

    def test_axe_finds_nothing(self, visit):
        page = visit(ADD, user="admin")
        assert violations(page, {"include": ["#confidentialfield_form"]}) == []
