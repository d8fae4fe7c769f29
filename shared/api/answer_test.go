package api_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"parley/shared/api"
)

// TestAnswerLasts: what a call changes is finished though the client leaves, within the
// time that the call has, or by the host's deadline where there is one.
func TestAnswerLasts(t *testing.T) {
	var left time.Duration
	answer := api.Answer(func(r *http.Request) (any, error) {
		until, _ := r.Context().Deadline()
		left = time.Until(until)
		return nil, r.Context().Err()
	})
	soon := time.Now().Add(time.Minute)
	for name, c := range map[string]struct {
		handle api.HandlerFunc
		by     time.Time // the host's deadline, zero for none
		most   time.Duration
	}{
		"a change":                {answer, time.Time{}, api.ChangeTime},
		"a change at a host":      {answer, soon, time.Minute},
		"a long change":           {api.Within(time.Hour, answer), time.Time{}, time.Hour},
		"a long change at a host": {api.Within(time.Hour, answer), soon, time.Minute},
	} {
		h, _ := serve(t, c.handle, nil)
		ctx, leave := context.WithCancel(t.Context())
		if !c.by.IsZero() {
			ctx, leave = context.WithDeadline(t.Context(), c.by)
		}
		leave()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodPost, "/things/session/run", strings.NewReader("{}")))
		if w.Code != http.StatusOK || left > c.most || left < c.most/2 {
			t.Errorf("%s: %d with %v left, want 200 with %v", name, w.Code, left, c.most)
		}
	}
}
