package feed_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"parley/functions/feed"
)

// TestLag: the feed logs an error, for which an alarm rings, if what it is told happened
// more than a minute ago.
func TestLag(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	tests := []struct {
		name, changed string
		seconds       float64 // of the error; 0 wants none
	}{
		{"just now", "1799999999", 0},
		{"in the clock's future", "1800000003.5", 0},
		{"a minute ago", "1799999940.0", 0},
		{"longer ago", "1799999920.5", 79},
		{"nobody knows", "0", 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var e feed.StreamEvent
			event := fmt.Sprintf(`{"Records":[{"dynamodb":{"ApproximateCreationDateTime":%s,"SequenceNumber":"1"}},{"dynamodb":{"SequenceNumber":"2"}}]}`, test.changed)
			if err := json.Unmarshal([]byte(event), &e); err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			h := feed.New(feed.Config{Now: func() time.Time { return now }, Log: slog.New(slog.NewJSONHandler(&log, nil))})
			if _, err := h.Stream(t.Context(), e); err != nil {
				t.Fatal(err)
			}
			var line struct {
				Level   string
				Seconds float64
			}
			if log.Len() > 0 {
				if err := json.Unmarshal(log.Bytes(), &line); err != nil || line.Level != "ERROR" {
					t.Errorf("log = %s, %v", &log, err)
				}
			}
			if line.Seconds != test.seconds {
				t.Errorf("log = %s, want %v seconds", &log, test.seconds)
			}
		})
	}
}
