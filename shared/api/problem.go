package api

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"time"

	"parley/shared/parley"
)

// Problem is an error as clients see it (RFC 9457).
type Problem struct {
	// Type is the address of the code's description, relative to that of the API.
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
	// Field names the input at fault.
	Field string `json:"field,omitempty"`
	// RetryAfter is in seconds.
	RetryAfter int `json:"retryAfter,omitempty"`
	// Session and Run name what is in the way, such as a run that is still being
	// written.
	Session parley.SessionID `json:"session,omitempty"`
	Run     parley.RunID     `json:"run,omitempty"`
}

// meaning is the status and the title of a code.
type meaning struct {
	status int
	title  string
}

// codes are all codes that the native API sends. Clients rely on them: codes may
// be added, but none changes its meaning.
var codes = map[string]meaning{
	"invalid_json":           {http.StatusBadRequest, "The body is not the JSON that is expected"},
	"invalid_field":          {http.StatusBadRequest, "A field has a value that is not allowed"},
	"invalid_cursor":         {http.StatusBadRequest, "The cursor is unknown"},
	"too_large":              {http.StatusRequestEntityTooLarge, "The body or a field is too long"},
	"unsupported_media_type": {http.StatusUnsupportedMediaType, "The body is not application/json"},
	"unknown_key":            {http.StatusUnauthorized, "The key is missing or unknown"},
	"origin_refused":         {http.StatusForbidden, "The project does not allow this origin"},
	"token_missing":          {http.StatusUnauthorized, "There is no visitor token"},
	"token_invalid":          {http.StatusUnauthorized, "The token is not one of this project's"},
	"token_expired":          {http.StatusUnauthorized, "The token has expired"},
	"token_revoked":          {http.StatusUnauthorized, "The token is no longer valid"},
	"identity_invalid":       {http.StatusUnauthorized, "The identity is not signed by the project's backend"},
	"identity_expired":       {http.StatusUnauthorized, "The signed identity has expired"},
	"identity_too_long":      {http.StatusUnauthorized, "The signed identity is valid for too long"},
	"identity_required":      {http.StatusForbidden, "The project serves signed-in visitors only"},
	"challenge_required":     {http.StatusForbidden, "A new visitor has to solve a challenge"},
	"challenge_invalid":      {http.StatusForbidden, "The challenge is not solved"},
	"challenge_expired":      {http.StatusForbidden, "The challenge has expired"},
	"challenge_used":         {http.StatusForbidden, "The challenge has been used"},
	"blocked":                {http.StatusForbidden, "The visitor is blocked"},
	"link_over":              {http.StatusGone, "The link of the mail has expired"},
	"link_used":              {http.StatusGone, "The link of the mail has been used"},
	"link_limited":           {http.StatusForbidden, "The token opens one session only"},
	"uploads_off":            {http.StatusForbidden, "The project takes no uploads"},
	"csat_off":               {http.StatusForbidden, "The project takes no ratings"},
	"scope_missing":          {http.StatusForbidden, "The private key does not allow this"},
	"operator_unknown":       {http.StatusForbidden, "The private key does not act for this operator"},
	"not_found":              {http.StatusNotFound, "There is no such thing"},
	"method_not_allowed":     {http.StatusMethodNotAllowed, "The address does not take this method"},
	"message_id_conflict":    {http.StatusConflict, "The message id was used for something else"},
	"busy":                   {http.StatusConflict, "A reply is being written"},
	"session_closed":         {http.StatusConflict, "The session is closed"},
	"form_submitted":         {http.StatusConflict, "The form has been sent with other fields"},
	"not_retryable":          {http.StatusConflict, "The run cannot be retried"},
	"revision_conflict":      {http.StatusConflict, "The settings have changed meanwhile"},
	"key_taken":              {http.StatusConflict, "The public key is another project's"},
	"too_many_keys":          {http.StatusConflict, "Two keys work already"},
	"of_contact":             {http.StatusConflict, "The visitor is a contact's"},
	"unproven_contact":       {http.StatusConflict, "Nobody vouched for the contact"},
	"hook_rotating":          {http.StatusConflict, "The webhook has two secrets already"},
	"last_key":               {http.StatusConflict, "The webhook has one secret only"},
	"hook_disabled":          {http.StatusConflict, "The webhook is disabled"},
	"hook_busy":              {http.StatusConflict, "The webhook is being delivered to"},
	"too_many_hooks":         {http.StatusTooManyRequests, "The project has as many webhooks as it may"},
	"upload_incomplete":      {http.StatusConflict, "Nothing has been uploaded yet"},
	"upload_changed":         {http.StatusConflict, "The upload changed while it was checked"},
	"attachment_unknown":     {http.StatusUnprocessableEntity, "An attachment cannot be used"},
	"attachment_incomplete":  {http.StatusUnprocessableEntity, "An attachment has not been completed"},
	"name_refused":           {http.StatusUnprocessableEntity, "Files are not to be called so"},
	"upload_refused":         {http.StatusUnprocessableEntity, "The upload is not what was announced"},
	"queue_full":             {http.StatusTooManyRequests, "Too many messages wait for an answer"},
	"rate_limited":           {http.StatusTooManyRequests, "Too many messages"},
	"budget_spent":           {http.StatusTooManyRequests, "The day's allowance is used up"},
	"identify_limit":         {http.StatusTooManyRequests, "Too many new visitors"},
	"changes_limit":          {http.StatusTooManyRequests, "Too many votes, checkpoints, forms and ratings"},
	"calls_limit":            {http.StatusTooManyRequests, "Too many calls"},
	"uploads_limit":          {http.StatusTooManyRequests, "Too many uploads"},
	"internal":               {http.StatusInternalServerError, "Something went wrong on our side"},
	"unavailable":            {http.StatusServiceUnavailable, "A part of the service cannot be reached"},
}

// kinds are the statuses of errors whose code is not in the table, by their
// kind.
var kinds = []struct {
	kind   error
	status int
}{
	{parley.ErrInvalid, http.StatusBadRequest}, {parley.ErrNotFound, http.StatusNotFound},
	{parley.ErrConflict, http.StatusConflict}, {parley.ErrDenied, http.StatusForbidden},
	{parley.ErrLimit, http.StatusTooManyRequests},
}

// problemOf returns the problem that a client is shown for an error. hidden
// means that the error itself is not shown, and must be logged.
func problemOf(err error) (p Problem, hidden bool) {
	switch {
	case errors.Is(err, parley.ErrUnavailable), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return newProblem("unavailable", 0, "Please try again in a moment.", time.Second), true
	}
	var e *parley.Error
	if errors.As(err, &e) {
		for _, k := range kinds {
			if errors.Is(e.Kind, k.kind) {
				p = newProblem(e.Code, k.status, e.Text, e.RetryAfter)
				p.Field, p.Session, p.Run = e.Field, e.Session, e.Run
				return p, false
			}
		}
	}
	return newProblem("internal", 0, "The error has been logged under this request's id.", 0), true
}

func newProblem(code string, status int, detail string, retryAfter time.Duration) Problem {
	m, known := codes[code]
	if !known {
		m = meaning{status, http.StatusText(status)}
	}
	return Problem{Type: "/problems/" + code, Title: m.title, Status: m.status, Code: code, Detail: detail,
		RetryAfter: int(math.Ceil(retryAfter.Seconds()))}
}

// fail answers a request with the problem for an error. If an answer has begun
// already, it can only cut the connection.
func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	p, hidden := problemOf(err)
	if hidden {
		a.Log.LogAttrs(r.Context(), slog.LevelError, "request failed",
			slog.String("request", logLineOf(r).request), slog.String("code", p.Code), slog.String("error", err.Error()))
	}
	if begun(w) {
		panic(http.ErrAbortHandler)
	}
	h := w.Header()
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(p.RetryAfter))
	}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer") // RFC 9110, section 11.6.1, demands one
	}
	logLineOf(r).refuse(w, r, p)
}
