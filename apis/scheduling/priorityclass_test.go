package scheduling

import "testing"

func TestSystemClasses(t *testing.T) {
	for _, class := range SystemPriorityClasses() {
		if errs := ValidatePriorityClass(class); len(errs) > 0 || !IsSystemPriorityClass(class.Name) {
			t.Errorf("%s: got %v", class.Name, errs)
		}
		class.Value--
		if errs := ValidatePriorityClass(class); len(errs) != 1 || errs[0].Field != "metadata.name" {
			t.Errorf("%s of another value: got %v", class.Name, errs)
		}
	}
	if IsSystemPriorityClass("system-other") {
		t.Error("any name will do")
	}
}
