package apitest

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"parley/shared/api"
	"parley/shared/parley"
	"parley/shared/parleytest"
)

// testValidation: each bad input has a specific code and changes nothing.
func testValidation(t *testing.T, s *suite) {
	owner := s.project(t, nil).estate()
	id, run := owner.session, owner.run
	long := func(n int) string { return strings.Repeat("x", n) }
	send := func(name string, value any) message { return ask("Hello").with("sessionId", id).with(name, value) }
	pairs := map[string]string{}
	for i := range parley.MaxMetadata + 1 {
		pairs[fmt.Sprint(i)] = ""
	}
	files := make([]string, parley.MaxAttachments+1)
	for i := range files {
		files[i] = fmt.Sprint(i)
	}
	without := func(m message, name string) message { delete(m, name); return m }
	rate := func(score any) map[string]any { return map[string]any{"sessionId": id, "score": score} }
	file := func(name, mediaType string, size any) map[string]any {
		return map[string]any{"name": name, "type": mediaType, "size": size}
	}
	cursorOfSessions := `eyJhIjoxLCJzIjoieCJ9` // {"a":1,"s":"x"}
	typed := func(mediaType string) map[string]string { return map[string]string{"Content-Type": mediaType} }
	last := func(id string) map[string]string { return map[string]string{"Last-Event-ID": id} }
	post := func(path string, body any) call { return call{method: http.MethodPost, path: path, body: body} }
	get := func(path string) call { return call{method: http.MethodGet, path: path} }

	tests := []struct {
		name   string
		call   call
		status int
		code   string
		field  string
	}{
		{"no JSON", post("/chat", "content=Hello"), 400, "invalid_json", ""},
		{"empty body", post("/chat", ""), 400, "invalid_json", ""},
		{"cut JSON", post("/chat", `{"messageId":"m1","content":"He`), 400, "invalid_json", ""},
		{"two values", post("/chat", `{"messageId":"m1"}{}`), 400, "invalid_json", ""},
		{"a list", post("/chat", `[1]`), 400, "invalid_json", ""},
		{"not UTF-8", post("/chat", "{\"messageId\":\"m1\",\"content\":\"\xff\"}"), 400, "invalid_json", ""},
		{"body too long", post("/chat", send("x", long(api.MaxBodyBytes))), 413, "too_large", ""},
		{"a form", call{http.MethodPost, "/chat", "messageId=m1", typed("application/x-www-form-urlencoded")}, 415, "unsupported_media_type", ""},
		{"JSON that is not called so", call{http.MethodPost, "/chat", ask("Hello"), typed("text/plain")}, 415, "unsupported_media_type", ""},

		{"no message id", post("/chat", without(ask("Hello"), "messageId")), 400, "invalid_field", "messageId"},
		{"message id too long", post("/chat", send("messageId", long(129))), 413, "too_large", "messageId"},
		{"control character in the message id", post("/chat", send("messageId", "a\x00b")), 400, "invalid_field", "messageId"},
		{"message id is a number", post("/chat", send("messageId", 1)), 400, "invalid_field", "messageId"},
		{"no content", post("/chat", without(ask(""), "content")), 400, "invalid_field", "content"},
		{"content too long", post("/chat", send("content", long(parley.MaxMessageBytes+1))), 413, "too_large", "content"},
		{"content is a list", post("/chat", send("content", []string{"Hello"})), 400, "invalid_field", "content"},
		{"too many attachments", post("/chat", send("attachments", files)), 400, "invalid_field", "attachments"},
		{"unknown attachment", post("/chat", send("attachments", []string{"nothing"})), 422, "attachment_unknown", "attachments"},
		{"attachment that is not complete", post("/chat", send("attachments", []string{owner.file})), 422, "attachment_incomplete", "attachments"},
		{"too much metadata", post("/chat", send("metadata", pairs)), 400, "invalid_field", "metadata"},
		{"metadata too long", post("/chat", send("metadata", map[string]string{"k": long(parley.MaxMetadataBytes + 1)})), 413, "too_large", "metadata"},
		{"metadata of numbers", post("/chat", send("metadata", map[string]int{"k": 1})), 400, "invalid_field", "metadata"},
		{"page too long", post("/chat", send("page", map[string]string{"url": long(parley.MaxPageBytes + 1)})), 413, "too_large", "page"},
		{"page title is a number", post("/chat", send("page", map[string]int{"title": 1})), 400, "invalid_field", "page.title"},
		{"unknown wish", post("/chat", send("ifBusy", "hurry")), 400, "invalid_field", "ifBusy"},
		{"unknown agent", post("/chat", ask("Hello").with("agent", "nobody")), 400, "invalid_field", "agent"},
		{"language too long", post("/chat", ask("Hello").with("language", long(36))), 413, "too_large", "language"},
		{"retry without a session", post("/chat", message{"messageId": "r1", "retry": run}), 400, "invalid_field", "retry"},
		{"retry with content", post("/chat", send("retry", run)), 400, "invalid_field", "retry"},
		{"retry of nothing", post("/chat", message{"messageId": "r1", "retry": "nothing", "sessionId": id}), 404, "not_found", ""},
		{"retry of what is done", post("/chat", message{"messageId": "r1", "retry": run, "sessionId": id}), 409, "not_retryable", ""},
		{"unknown session", post("/chat", send("sessionId", "nothing")), 404, "not_found", ""},
		{"message id of another text", post("/chat", send("messageId", run)), 409, "message_id_conflict", ""},

		{"unknown run", get(runPath(id, "nothing")), 404, "not_found", ""},
		{"last event of another run", call{http.MethodGet, runPath(id, run), nil, last("other/5")}, 400, "invalid_field", "lastEventId"},
		{"last event that is none", call{http.MethodGet, runPath(id, run), nil, last("5")}, 400, "invalid_field", "lastEventId"},
		{"last event without a place", get(runPath(id, run) + "?lastEventId=" + url.QueryEscape(run+"/x")), 400, "invalid_field", "lastEventId"},
		{"cancel with a list", post("/chat/"+string(id)+"/cancel", `[]`), 400, "invalid_json", ""},
		{"cancel of a number", post("/chat/"+string(id)+"/cancel", `{"run":1}`), 400, "invalid_field", "run"},
		{"cancel too long", post("/chat/"+string(id)+"/cancel", send("x", long(api.MaxBodyBytes))), 413, "too_large", ""},

		{"vote of nothing", post("/chat/"+string(id)+"/vote", map[string]any{"messageId": "nothing", "vote": "up"}), 404, "not_found", ""},
		{"vote for one's own message", post("/chat/"+string(id)+"/vote", map[string]any{"messageId": run, "vote": "up"}), 404, "not_found", ""},
		{"vote that is none", post("/chat/"+string(id)+"/vote", map[string]any{"messageId": run, "vote": "5"}), 400, "invalid_field", "vote"},
		{"form of nothing", post("/chat/"+string(id)+"/form", map[string]any{"messageId": run, "call": "1", "arguments": map[string]any{}}), 404, "not_found", ""},
		{"form without fields", post("/chat/"+string(id)+"/form", map[string]any{"messageId": run, "call": "1"}), 400, "invalid_field", "arguments"},

		{"updates after text", get("/updates/" + string(id) + "?after=x"), 400, "invalid_field", "after"},
		{"updates after less than nothing", get("/updates/" + string(id) + "?after=-1"), 400, "invalid_field", "after"},
		{"updates after an odd event", call{http.MethodGet, "/updates/" + string(id), nil, last("x")}, 400, "invalid_field", "lastEventId"},

		{"close without JSON", call{http.MethodPost, "/close", "session=s1", typed("text/plain")}, 400, "invalid_json", ""},
		{"close with a number", call{http.MethodPost, "/close", `{"session":1}`, typed("text/plain")}, 400, "invalid_field", "session"},
		{"close too long", call{http.MethodPost, "/close", long(api.MaxBodyBytes + 1), typed("text/plain")}, 413, "too_large", ""},

		{"limit of nothing", get("/history?limit=0"), 400, "invalid_field", "limit"},
		{"limit too high", get("/history?limit=101"), 400, "invalid_field", "limit"},
		{"limit is text", get("/history/" + string(id) + "?limit=many"), 400, "invalid_field", "limit"},
		{"cursor is nonsense", get("/history?cursor=%25%25"), 400, "invalid_cursor", "cursor"},
		{"cursor is no JSON", get("/history?cursor=eHl6"), 400, "invalid_cursor", "cursor"},
		{"cursor of another list", get("/history/" + string(id) + "?cursor=" + cursorOfSessions), 400, "invalid_cursor", "cursor"},

		{"no score", post("/csat", map[string]any{"sessionId": id}), 400, "invalid_field", "score"},
		{"score too low", post("/csat", rate(0)), 400, "invalid_field", "score"},
		{"score too high", post("/csat", rate(6)), 400, "invalid_field", "score"},
		{"score and a half", post("/csat", rate(4.5)), 400, "invalid_field", "score"},
		{"score is text", post("/csat", rate("5")), 400, "invalid_field", "score"},
		{"feedback too long", post("/csat", map[string]any{"sessionId": id, "score": 1, "feedback": long(parley.MaxFeedbackBytes + 1)}), 413, "too_large", "feedback"},
		{"rating of no session", post("/csat", map[string]any{"score": 1}), 404, "not_found", ""},

		{"file without a name", post("/uploads", file("", "text/plain", 5)), 400, "invalid_field", "name"},
		{"file with a path", post("/uploads", file("../a.txt", "text/plain", 5)), 400, "invalid_field", "name"},
		{"file name too long", post("/uploads", file(long(parley.MaxFileNameBytes+1), "text/plain", 5)), 413, "too_large", "name"},
		{"program", post("/uploads", file("a.exe", "application/x-msdownload", 5)), 400, "invalid_field", "type"},
		{"program that is called text", post("/uploads", file("invoice.pdf.bat", "text/plain", 5)), 422, "name_refused", "name"},
		{"name of another type", post("/uploads", file("a.html", "text/plain", 5)), 422, "name_refused", "name"},
		{"name that turns", post("/uploads", file("invoice\u202efdp.txt", "text/plain", 5)), 422, "name_refused", "name"},
		{"page that would run scripts", post("/uploads", file("a.html", "text/html", 5)), 400, "invalid_field", "type"},
		{"empty file", post("/uploads", file("a.txt", "text/plain", 0)), 400, "invalid_field", "size"},
		{"file too large", post("/uploads", file("a.txt", "text/plain", parley.DefaultUploadBytes+1)), 400, "invalid_field", "size"},
		{"size is text", post("/uploads", file("a.txt", "text/plain", "5")), 400, "invalid_field", "size"},
		{"unknown upload", post("/uploads/nothing/complete", nil), 404, "not_found", ""},

		{"identity is nonsense", post("/identify", map[string]any{"identity": "x"}), 401, "identity_invalid", ""},
		{"identity is a number", post("/identify", map[string]any{"identity": 1}), 400, "invalid_field", "identity"},
		{"name too long", post("/identify", map[string]any{"name": long(parley.MaxNameBytes + 1)}), 413, "too_large", "name"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			before := s.standing(t)
			b := *owner.browser
			b.t = t
			if p := b.do(test.call).fails(test.status, test.code); p.Field != test.field {
				t.Errorf("field %q, want %q", p.Field, test.field)
			}
			parleytest.Same(t, before, s.standing(t))
		})
	}
}
