package hissuno

import (
	"net/http"
	"strings"

	"parley/shared/api"
)

// failure is an error as the widget knows it: it shows the sentence.
type failure struct {
	Error   string `json:"error"`
	Blocked bool   `json:"blocked,omitempty"`
	Reason  string `json:"reason,omitempty"`
	Help    string `json:"help,omitempty"`
	// RunID and ChatRunID name the run that a message met.
	RunID     string `json:"runId,omitempty"`
	ChatRunID string `json:"chatRunId,omitempty"`
}

// failures are the statuses and sentences of codes; "" keeps the error's own
// sentence, and a code that is not here its own status too.
var failures = map[string]struct {
	status int
	text   string
}{
	"unknown_key":           {http.StatusUnauthorized, "Unknown project"},
	"origin_refused":        {http.StatusForbidden, "Origin not allowed"},
	"signing_key_missing":   {http.StatusUnauthorized, ""},
	"widget_token_missing":  {http.StatusUnauthorized, ""},
	"widget_token_expired":  {http.StatusUnauthorized, ""},
	"widget_token_invalid":  {http.StatusUnauthorized, ""},
	"widget_token_too_long": {http.StatusUnauthorized, ""},
	"widget_token_unnamed":  {http.StatusUnauthorized, ""},
	"widget_token_unusable": {http.StatusUnauthorized, ""},
	"challenge_required":    {http.StatusForbidden, "Please sign in to write here"},
	"other_contact":         {http.StatusForbidden, "This conversation belongs to another signed-in visitor"},
	"session_id_conflict":   {http.StatusForbidden, "This conversation id is taken"},
	"session_closed":        {http.StatusForbidden, "This conversation is closed"},
	"token_revoked":         {http.StatusForbidden, "This conversation is closed"},
	"blocked":               {http.StatusForbidden, "You cannot send messages here"},
	"invalid_json":          {http.StatusBadRequest, "Invalid JSON"},
	"busy":                  {http.StatusConflict, "A reply is being written"},
	"queue_full":            {http.StatusTooManyRequests, "Too many messages wait for an answer. Please wait a moment."},
	"rate_limited":          {http.StatusTooManyRequests, "Too many messages. Please wait a moment."},
	"identify_limit":        {http.StatusTooManyRequests, "Too many conversations. Please try again later."},
	"budget_spent":          {http.StatusTooManyRequests, "Today's allowance is used up. Please try again tomorrow."},
	"calls_limit":           {http.StatusTooManyRequests, "Too many requests. Please wait a moment."},
	"internal":              {http.StatusInternalServerError, "Something went wrong. Please try again."},
	"unavailable":           {http.StatusServiceUnavailable, "Something went wrong. Please try again in a moment."},
}

// refuse is the api.Refusal of the dialect.
func refuse(w http.ResponseWriter, r *http.Request, p api.Problem) {
	status, out := p.Status, failure{Error: p.Detail}
	if known, ok := failures[p.Code]; ok {
		status = known.status
		if known.text != "" {
			out.Error = known.text
		}
	}
	switch p.Code {
	case "origin_refused":
		out.Blocked = true
		out.Reason = "The origin " + r.Header.Get("Origin") + " is not in the project's list of allowed origins."
		out.Help = "Add it to the origins of the project's settings."
	case "busy":
		out.RunID, out.ChatRunID = string(p.Run), string(p.Run)
	case "unknown_key":
		if strings.HasSuffix(r.URL.Path, "/embed") {
			status, out.Error = http.StatusNotFound, "Project not found"
		}
	}
	_ = api.JSON(w, status, out) // it has no error to return
}
