package flowcontrol

import (
	"testing"

	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	"k8s.io/apiserver/pkg/apis/flowcontrol/bootstrap"
)

func TestFixedObjects(t *testing.T) {
	for _, fixed := range bootstrap.MandatoryFlowSchemas {
		s := fixed.DeepCopy()
		if errs := ValidateFlowSchema(s); len(errs) > 0 {
			t.Errorf("schema %s: got %v", s.Name, errs)
		}
		s.Spec.DistinguisherMethod = &flowcontrolv1.FlowDistinguisherMethod{Type: flowcontrolv1.FlowDistinguisherMethodByNamespaceType}
		if errs := ValidateFlowSchema(s); len(errs) != 1 || errs[0].Field != "spec" {
			t.Errorf("changed schema %s: got %v", s.Name, errs)
		}
	}
	for _, fixed := range bootstrap.MandatoryPriorityLevelConfigurations {
		l := fixed.DeepCopy()
		if errs := ValidatePriorityLevel(l); len(errs) > 0 {
			t.Errorf("level %s: got %v", l.Name, errs)
		}
		if l.Spec.Exempt != nil {
			l.Spec.Exempt.LendablePercent = new(int32(50))
			if errs := ValidatePriorityLevel(l); len(errs) > 0 {
				t.Errorf("shares of level %s: got %v", l.Name, errs)
			}
			continue
		}
		l.Spec.Limited.LendablePercent = new(int32(50))
		if errs := ValidatePriorityLevel(l); len(errs) != 1 || errs[0].Field != "spec" {
			t.Errorf("changed level %s: got %v", l.Name, errs)
		}
	}
}

func TestConditionTypes(t *testing.T) {
	s := &flowcontrolv1.FlowSchema{}
	s.Status.Conditions = []flowcontrolv1.FlowSchemaCondition{{Type: "a"}, {Type: "a"}, {}}
	errs := ValidateFlowSchemaStatus(s, nil)
	if len(errs) != 2 || errs[0].Field != "status.conditions[1].type" || errs[1].Field != "status.conditions[2].type" {
		t.Errorf("got %v", errs)
	}
}
