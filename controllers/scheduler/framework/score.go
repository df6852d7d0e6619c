package framework

import "slices"

// Spread stretches raw scores to 0..MaxScore by the highest of them. Reversed
// gives the best score to the lowest.
func Spread(scores []int64, reversed bool) []int64 {
	if len(scores) == 0 {
		return scores
	}
	highest := slices.Max(scores)
	for i, score := range scores {
		switch {
		case highest == 0 && reversed:
			scores[i] = MaxScore
		case highest == 0:
			scores[i] = 0
		case reversed:
			scores[i] = MaxScore - MaxScore*score/highest
		default:
			scores[i] = MaxScore * score / highest
		}
	}
	return scores
}
