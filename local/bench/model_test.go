package bench

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"parley/shared/agent/agenttest"
)

// question is of the standard length, and like no other.
func question(n int) string {
	begin := fmt.Sprintf("Question %d: ", n)
	return begin + text(questionBytes-len(begin))
}

// answer is what the model says to a question: of the standard length, like no
// other, and with characters of all lengths.
func answer(question string) string {
	number, _, _ := strings.Cut(strings.TrimPrefix(question, "Question "), ":")
	all := strings.Repeat("answer "+number+" ÿ 漢 𝄞, ", replyBytes)[:replyBytes-1]
	for !utf8.ValidString(all) {
		all = all[:len(all)-1]
	}
	return all + strings.Repeat(".", replyBytes-len(all))
}

// serveModel starts a server of chat completions that answers in pieces, evenly
// over some time, and returns its base URL.
func serveModel(t testing.TB, pieces int, over time.Duration) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Messages []struct{ Content string }
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || len(in.Messages) == 0 {
			http.Error(w, "no messages", http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		began, flush := time.Now(), http.NewResponseController(w).Flush
		for i, step := range agenttest.Evenly(answer(in.Messages[len(in.Messages)-1].Content), pieces, over) {
			// Not one delay after another: they would grow on a busy machine.
			time.Sleep(time.Until(began.Add(time.Duration(i+1) * step.Delay)))
			fmt.Fprintf(w, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":%q}}]}\n\n", step.Delta)
			if flush() != nil {
				return
			}
		}
		fmt.Fprintf(w, "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"+
			"data: {\"choices\":[],\"usage\":{\"prompt_tokens\":%d,\"completion_tokens\":%d}}\n\ndata: [DONE]\n\n",
			standardUsage.Input, standardUsage.Output)
	}))
	t.Cleanup(server.Close)
	return server.URL + "/v1"
}
