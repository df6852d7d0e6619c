package batch

import (
	"fmt"
	"strconv"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/rule"
)

const maxIndexesLength = 64 * 1024

// validateSuccessPolicy checks which indexes suffice.
// https://kubernetes.io/docs/concepts/workloads/controllers/job/#success-policy
func validateSuccessPolicy(s *batchv1.JobSpec, at *field.Path) (errs field.ErrorList) {
	at = at.Child("rules")
	switch n := len(s.SuccessPolicy.Rules); {
	case n == 0:
		errs = append(errs, field.Required(at, "at least one rules must be specified when the successPolicy is specified"))
	case n > maxRules:
		errs = append(errs, field.TooMany(at, n, maxRules))
	}
	var completions int32
	if s.Completions != nil {
		completions = *s.Completions
	}
	for i := range s.SuccessPolicy.Rules {
		errs = append(errs, validateSuccessRule(&s.SuccessPolicy.Rules[i], completions, at.Index(i))...)
	}
	return errs
}

func validateSuccessRule(r *batchv1.SuccessPolicyRule, completions int32, at *field.Path) (errs field.ErrorList) {
	if r.SucceededCount == nil && r.SucceededIndexes == nil {
		errs = append(errs, field.Required(at, "at least one of succeededCount or succeededIndexes must be specified"))
	}
	total := completions
	if text, at := r.SucceededIndexes, at.Child("succeededIndexes"); text != nil {
		if len(*text) > maxIndexesLength {
			errs = append(errs, field.TooLong(at, "", maxIndexesLength))
		}
		n, err := countIndexes(*text, completions)
		if err != nil {
			errs = append(errs, field.Invalid(at, *text, fmt.Sprintf("error parsing succeededIndexes: %v", err)))
		}
		total = n
	}
	if n, at := r.SucceededCount, at.Child("succeededCount"); n != nil {
		errs = append(errs, rule.NonNegative(*n, at)...)
		if *n > completions {
			errs = append(errs, field.Invalid(at, *n, fmt.Sprintf("must be less than or equal to %d (the number of specified completions)", completions)))
		}
		if r.SucceededIndexes != nil && *n > total {
			errs = append(errs, field.Invalid(at, *n, fmt.Sprintf("must be less than or equal to %d (the number of indexes in the specified succeededIndexes field)", total)))
		}
	}
	return errs
}

// countIndexes counts the indexes in a list like 1,3-5,7, which must be ascending and below completions.
func countIndexes(list string, completions int32) (total int32, err error) {
	if list == "" {
		return 0, nil
	}
	last := int32(-1)
	for i, part := range strings.Split(list, ",") {
		first, end, err := parseInterval(part, completions)
		if err != nil {
			return 0, err
		}
		if i > 0 && first <= last {
			return 0, fmt.Errorf("non-increasing order, previous: %d, current: %d", last, first)
		}
		total += end - first + 1
		last = end
	}
	return total, nil
}

func parseInterval(text string, completions int32) (first, last int32, err error) {
	limits := strings.Split(text, "-")
	if len(limits) > 2 {
		return 0, 0, fmt.Errorf("the fragment %q violates the requirement that an index interval can have at most two parts separated by '-'", text)
	}
	if first, err = parseIndex(limits[0], completions); err != nil || len(limits) == 1 {
		return first, first, err
	}
	if last, err = parseIndex(limits[1], completions); err == nil && first >= last {
		err = fmt.Errorf("non-increasing order, previous: %d, current: %d", first, last)
	}
	return first, last, err
}

func parseIndex(text string, completions int32) (int32, error) {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("cannot convert string to integer for index: %q", text)
	}
	if n >= int(completions) {
		return 0, fmt.Errorf("too large index: %q", text)
	}
	return int32(n), nil
}

// firstCommon finds the lowest index that is in both lists; what cannot be read is skipped.
func firstCommon(a, b string, completions int32) (index int32, ok bool) {
	for left := range strings.SplitSeq(a, ",") {
		first, last, err := parseInterval(left, completions)
		if err != nil {
			continue
		}
		for right := range strings.SplitSeq(b, ",") {
			from, to, err := parseInterval(right, completions)
			if err == nil && first <= to && from <= last {
				return max(first, from), true
			}
		}
	}
	return 0, false
}
