package images

import (
	"slices"
	"testing"
)

func TestImagesOfArchivesThatLeftAreGone(t *testing.T) {
	before := map[string]loaded{"a.tar": {Images: []string{"a:2", "a:1", "both:1"}}, "b.tar": {Images: []string{"b:1", "a:1"}}}
	for _, tt := range []struct {
		name string
		now  map[string]loaded
		want []string
	}{
		{"nothing changed", before, nil},
		{"an archive left", map[string]loaded{"b.tar": {Images: []string{"b:1", "both:1"}}}, []string{"a:1", "a:2"}},
		{"an archive holds others now", map[string]loaded{"a.tar": {Images: []string{"a:3"}}, "b.tar": before["b.tar"]}, []string{"a:2", "both:1"}},
		{"all left", nil, []string{"a:1", "a:2", "b:1", "both:1"}},
	} {
		if got := gone(before, tt.now); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}
