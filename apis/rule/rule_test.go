package rule

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func TestRules(t *testing.T) {
	at := field.NewPath("f")
	for name, c := range map[string]struct {
		errs field.ErrorList
		want field.ErrorType // of all; none if empty
		n    int
	}{
		"zero is not negative":           {NonNegative(0, at), "", 0},
		"negative":                       {NonNegative(int32(-1), at), field.ErrorTypeInvalid, 1},
		"nothing is not negative":        {NonNegativeIfSet[int32](nil, at), "", 0},
		"negative quantity":              {NonNegativeQuantity(resource.MustParse("-1"), at), field.ErrorTypeInvalid, 1},
		"one of":                         {OneOf("a", at, "a", "b"), "", 0},
		"none of":                        {OneOf("", at, "a", "b"), field.ErrorTypeNotSupported, 1},
		"required one of":                {RequiredOneOf("", at, "a"), field.ErrorTypeRequired, 1},
		"unchanged":                      {Immutable([]string{}, []string(nil), at), "", 0},
		"changed":                        {Immutable("a", "b", at), field.ErrorTypeInvalid, 1},
		"selector":                       {Selector(&metav1.LabelSelector{MatchLabels: map[string]string{"a": "!"}}, at), field.ErrorTypeInvalid, 1},
		"no selector":                    {Selector(nil, at), "", 0},
		"percent":                        {IntOrPercent(intstr.FromString("110%"), at), "", 0},
		"percent without sign":           {IntOrPercent(intstr.FromString("10"), at), field.ErrorTypeInvalid, 1},
		"negative number":                {IntOrPercent(intstr.FromInt32(-1), at), field.ErrorTypeInvalid, 1},
		"more than all":                  {AtMost100Percent(intstr.FromString("101%"), at), field.ErrorTypeInvalid, 1},
		"more than 100, of a number":     {AtMost100Percent(intstr.FromInt32(101), at), "", 0},
		"path segment":                   {PathSegment("a b", at), "", 0},
		"two path segments":              {PathSegment("a/b", at), field.ErrorTypeInvalid, 1},
		"required path segment":          {RequiredPathSegment("", at), field.ErrorTypeRequired, 1},
		"endpoint":                       {EndpointIP("192.0.2.1", at), "", 0},
		"loopback":                       {EndpointIP("::1", at), field.ErrorTypeInvalid, 1},
		"everywhere":                     {EndpointIP("0.0.0.0", at), field.ErrorTypeInvalid, 1},
		"no address":                     {EndpointIP("x", at), field.ErrorTypeInvalid, 1},
		"signer":                         {SignerName("example.com/a.b", at), "", 0},
		"signer without a domain":        {SignerName("example/a", at), field.ErrorTypeInvalid, 1},
		"signer without a path":          {SignerName("example.com", at), field.ErrorTypeInvalid, 1},
		"signer with two":                {SignerName("example.com/a/b", at), field.ErrorTypeInvalid, 1},
		"no signer":                      {SignerName("", at), field.ErrorTypeRequired, 1},
		"signer with bad labels":         {SignerName("Example.com/-", at), field.ErrorTypeInvalid, 2},
		"driver":                         {DriverName("CSI.example.com", at), "", 0},
		"no driver":                      {DriverName("", at), field.ErrorTypeRequired, 1},
		"driver with a long name":        {DriverName(strings.Repeat("a", 64), at), field.ErrorTypeTooLong, 1},
		"label as long as they may be":   {DNSLabel(strings.Repeat("a", 63), at), "", 0},
		"label that is a subdomain":      {DNSLabel("a.b", at), field.ErrorTypeInvalid, 1},
		"qualified name":                 {QualifiedName("example.com/n", at), "", 0},
		"subdomain with an empty label":  {DNSSubdomain("a..b", at), field.ErrorTypeInvalid, 1},
		"positive":                       {PositiveIfSet(new(int32(1)), at), "", 0},
		"zero where more is needed":      {PositiveIfSet(new(int64(0)), at), field.ErrorTypeInvalid, 1},
		"nothing where more is needed":   {PositiveIfSet[int64](nil, at), "", 0},
		"messages of a check of a value": {Invalid(at, "v", []string{"a", "b"}), field.ErrorTypeInvalid, 2},
	} {
		t.Run(name, func(t *testing.T) {
			if len(c.errs) != c.n {
				t.Fatalf("got %v", c.errs)
			}
			for _, err := range c.errs {
				if err.Type != c.want || !strings.HasPrefix(err.Field, "f") {
					t.Errorf("got %v, want %s", err, c.want)
				}
			}
		})
	}
}

// Upstream's message depends on the field: which one knows of capitals.
func TestDriverNamesAreNamedAsTheirFieldsDo(t *testing.T) {
	at := field.NewPath("f")
	for want, errs := range map[string]field.ErrorList{
		"a lowercase RFC 1123 subdomain": DriverName("-bad", at),
		"an RFC 1123 subdomain":          DriverNameOfAnyCase("-bad", at),
	} {
		if len(errs) != 1 || !strings.HasPrefix(errs[0].Detail, want) {
			t.Errorf("got %v, want %q", errs, want)
		}
	}
	if errs := DriverNameOfAnyCase("CSI.example.com", at); len(errs) > 0 {
		t.Error(errs)
	}
}

func TestAmount(t *testing.T) {
	for want, value := range map[int]intstr.IntOrString{3: intstr.FromInt32(3), 25: intstr.FromString("25%"), 0: intstr.FromString("x")} {
		if got := Amount(value); got != want {
			t.Errorf("%v: got %d", value, got)
		}
	}
}

func TestDecremented(t *testing.T) {
	one, two := new(int32(1)), new(int32(2))
	for _, c := range []struct {
		value, old *int32
		want       bool
	}{{one, two, true}, {nil, one, true}, {two, one, false}, {one, one, false}, {one, nil, false}, {nil, nil, false}} {
		if got := Decremented(c.value, c.old); got != c.want {
			t.Errorf("%v after %v: got %v", c.value, c.old, got)
		}
	}
}
