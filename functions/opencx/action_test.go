package opencx_test

import (
	"encoding/json"
	"testing"

	"parley/functions/opencx"
	"parley/shared/api"
	"parley/shared/parley"
)

// TestActionCalls: O39. A call has its name and its result as they are stored,
// and what went wrong where that is known instead.
func TestActionCalls(t *testing.T) {
	for name, test := range map[string]struct {
		call parley.ActionCall
		want string
	}{
		"O39 a result": {parley.ActionCall{ID: "1", Name: "track_order", Arguments: json.RawMessage(`{"id":7}`), Result: json.RawMessage(`{"state":"<sent>"}`)},
			`{"actionName":"track_order","args":{"id":7},"result":{"state":"<sent>"},"action":{"name":"track_order","id":"1","metadata":{}}}`},
		"O39 an answer of a host": {parley.ActionCall{ID: "1", Name: "track_order", Result: json.RawMessage(`{"status":200,"body":{"state":"sent"}}`)},
			`{"actionName":"track_order","args":{},"result":{"status":200,"responseBodyText":"{\"state\":\"sent\"}"},"action":{"name":"track_order","id":"1","metadata":{}}}`},
		"O39 an answer without a body": {parley.ActionCall{ID: "1", Name: "track_order", Result: json.RawMessage(`{"status":204}`)},
			`{"actionName":"track_order","args":{},"result":{"status":204},"action":{"name":"track_order","id":"1","metadata":{}}}`},
		"O39 a form": {parley.ActionCall{ID: "1", Name: "refund", Form: &parley.Form{Parameters: json.RawMessage(`{"type":"object"}`)}},
			`{"actionName":"refund","args":{},"result":{"form":{"id":"1","parameters":{"type":"object"}}},"action":{"name":"refund","id":"1","metadata":{"parameters":{"type":"object"}},"required_form_submission":true}}`},
		"O39 a failure": {parley.ActionCall{ID: "2", Name: "refund", Error: "no such order"},
			`{"actionName":"refund","args":{},"result":{"error":"no such order"},"action":{"name":"refund","id":"2","metadata":{}}}`},
		"O39 nothing yet": {parley.ActionCall{ID: "3", Name: "refund"},
			`{"actionName":"refund","args":{},"result":null,"action":{"name":"refund","id":"3","metadata":{}}}`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := api.Encode(opencx.ActionCall(&test.call)); got != test.want {
				t.Errorf("call = %s, want %s", got, test.want)
			}
		})
	}
}
