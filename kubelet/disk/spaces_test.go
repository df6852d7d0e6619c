package disk

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestAFileSystemThatDoesNotAnswerIsWaitedForOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, answers := 0, make(chan struct{})
		s := Spaces{of: func(dir string) (Space, error) {
			if dir == "hung" {
				asked++
				<-answers
			}
			return Space{Bytes: 1}, nil
		}}
		for _, wait := range []time.Duration{patience, 0, 0} {
			began := time.Now()
			if _, err := s.Of(t.Context(), "hung"); err == nil || time.Since(began) != wait {
				t.Errorf("%v after %s, want an error after %s", err, time.Since(began), wait)
			}
			if space, err := s.Of(t.Context(), "other"); err != nil || space.Bytes != 1 {
				t.Errorf("another one: %+v, %v", space, err)
			}
		}
		synctest.Wait()
		if asked != 1 {
			t.Errorf("asked %d times, want once", asked)
		}
		close(answers)
		synctest.Wait()
		if space, err := s.Of(t.Context(), "hung"); err != nil || space.Bytes != 1 {
			t.Errorf("when it answers again: %+v, %v", space, err)
		}
	})
}

func TestAPanicIsAnAnswer(t *testing.T) {
	s := Spaces{of: func(string) (Space, error) { panic("of") }}
	for range 2 {
		if _, err := s.Of(t.Context(), "a"); err == nil {
			t.Error("there was no error")
		}
	}
}
