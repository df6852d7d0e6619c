package job

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// noIndex is that of a Pod of a job without indexes.
const noIndex = -1

func isIndexed(job *batchv1.Job) bool {
	return job.Spec.CompletionMode != nil && *job.Spec.CompletionMode == batchv1.IndexedCompletion
}

// indexOf is the Pod's completion index, or noIndex.
func indexOf(pod *corev1.Pod) int {
	n, err := strconv.Atoi(pod.Annotations[batchv1.JobCompletionIndexAnnotation])
	if err != nil || n < 0 {
		return noIndex
	}
	return n
}

// hasIndex reports whether the Pod's index is one of the job's.
func hasIndex(job *batchv1.Job, pod *corev1.Pod) bool {
	i := indexOf(pod)
	return i != noIndex && i < completions(job)
}

// parseIndexes reads "1,3-5,7", leaving out what is not below completions and what is no number.
func parseIndexes(text string, completions int) []int {
	var all []int
	for part := range strings.SplitSeq(text, ",") {
		low, high, ranged := strings.Cut(part, "-")
		first, err := strconv.Atoi(low)
		if err != nil {
			continue
		}
		last := first
		if ranged {
			if last, err = strconv.Atoi(high); err != nil {
				continue
			}
		}
		for i := first; i <= min(last, completions-1); i++ {
			all = append(all, i)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// formatIndexes is the inverse; the indexes must be in order. Two neighbours are no range.
func formatIndexes(indexes []int) string {
	var text strings.Builder
	for i := 0; i < len(indexes); {
		j := i
		for j+1 < len(indexes) && indexes[j+1] == indexes[j]+1 {
			j++
		}
		if text.Len() > 0 {
			text.WriteByte(',')
		}
		fmt.Fprint(&text, indexes[i])
		switch j - i {
		case 0:
		case 1:
			fmt.Fprintf(&text, ",%d", indexes[j])
		default:
			fmt.Fprintf(&text, "-%d", indexes[j])
		}
		i = j + 1
	}
	return text.String()
}
