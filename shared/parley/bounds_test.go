package parley_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table"
)

// meanwhile is a table in which something happens right after an item was read
// for the first time.
type meanwhile struct {
	table.Table
	sk   string // of the item, or from which items are listed
	once sync.Once
	do   func()
}

func (m *meanwhile) Get(ctx context.Context, consistent bool, keys ...table.Key) ([]table.Item, error) {
	items, err := m.Table.Get(ctx, consistent, keys...)
	for _, k := range keys {
		if k.SK == m.sk {
			m.once.Do(m.do)
		}
	}
	return items, err
}

func (m *meanwhile) Query(ctx context.Context, q table.Query) (table.Page, error) {
	page, err := m.Table.Query(ctx, q)
	if q.From != "" && q.From == m.sk {
		m.once.Do(m.do)
	}
	return page, err
}

// TestRatingsAtOnce: of two first ratings at once the second replaces the first,
// and the totals count one (invariant 10).
func TestRatingsAtOnce(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		id := s.turn("m").ID
		slow := s.over(&meanwhile{Table: s.table, sk: "rating", do: func() {
			if _, err := s.store.Rate(ctx, s.visitor, id, 2, ""); err != nil {
				s.Error(err)
			}
		}})
		if _, err := slow.Rate(ctx, s.visitor, id, 5, ""); err != nil {
			s.Fatal(err)
		}
		totals, err := s.store.Totals(ctx, "demo", time.Now())
		if err != nil || totals != (parley.Totals{5: 1}) {
			s.Errorf("totals = %v, %v, want one rating of 5", totals, err)
		}
		s.consistent()
	})
}

// TestRemovedPublicKey: a key that a project gave up is free for another.
func TestRemovedPublicKey(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		key, _, err := s.store.AddPublicKey(ctx, "demo", true)
		if err != nil {
			s.Fatal(err)
		}
		other := generous()
		other.ID, other.PublicKeys = "other", []string{key}
		s.want("another's key", s.store.PutProject(ctx, other), "key_taken")
		s.want("remove", s.store.RemovePublicKey(ctx, "demo", key), "")
		s.want("a free key", s.store.PutProject(ctx, other), "")
	})
}

// TestPrivateKeysAreBounded: a project has so many and no more.
func TestPrivateKeysAreBounded(t *testing.T) {
	onBolt(t, func(s scene) {
		ctx := context.Background()
		add := func(n int) error {
			_, _, err := s.store.AddPrivateKey(ctx, "demo", parley.PrivateKey{Name: fmt.Sprint("key ", n), Scopes: parley.Scopes()})
			return err
		}
		for n := range parley.MaxPrivateKeys {
			s.want(fmt.Sprint("key ", n), add(n), "")
		}
		s.want("one too many", add(parley.MaxPrivateKeys), "too_many_keys")
	})
}

// TestReplyBounds: a message of an operator is checked like a visitor's.
func TestReplyBounds(t *testing.T) {
	onBolt(t, func(s scene) {
		id := s.turn("m").ID
		s.unchanged("refused messages", func() {
			for name, c := range map[string]struct {
				r    parley.ReplyRequest
				code string
			}{
				"no id":                            {parley.ReplyRequest{Content: "x"}, "invalid_field"},
				"nothing":                          {parley.ReplyRequest{ID: "r"}, "invalid_field"},
				"too long":                         {parley.ReplyRequest{ID: "r", Content: strings.Repeat("x", parley.MaxMessageBytes+1)}, "too_large"},
				"no UTF-8":                         {parley.ReplyRequest{ID: "r", Content: "\xff"}, "invalid_field"},
				"a long note":                      {parley.ReplyRequest{ID: "r", Content: strings.Repeat("x", parley.MaxMessageBytes+1), Internal: true}, "too_large"},
				"many files":                       {parley.ReplyRequest{ID: "r", Content: "x", Attachments: make([]parley.FileID, parley.MaxAttachments+1)}, "invalid_field"},
				"unknown files, as many as may be": {parley.ReplyRequest{ID: "r", Attachments: make([]parley.FileID, parley.MaxAttachments)}, "attachment_unknown"},
			} {
				c.r.Session = id
				_, err := s.store.Reply(context.Background(), operatorNamed("ola"), ola.Author(), c.r)
				s.want(name, err, c.code)
			}
		})
		s.replies(parley.ReplyRequest{ID: "long", Session: id, Content: strings.Repeat("x", parley.MaxMessageBytes)})
	})
}

// TestPageOfAMail: the link of a mailed answer leads to an https page, whose address
// every mail program takes as it is.
func TestPageOfAMail(t *testing.T) {
	onBolt(t, func(s scene) {
		for page, code := range map[string]string{
			"https://shop.example/help?a=b": "",
			"http://localhost:8000/":        "",
			"http://shop.example/":          "invalid_field",
			"https://shop.example/#help":    "invalid_field",
			"https://me@shop.example/":      "invalid_field",
			"https://shop.example/a b":      "invalid_field",
			"https://shop.example/é":        "invalid_field",
			"https://shop.example/\u0080":   "invalid_field",
			"http://[::1":                   "invalid_field",
			"https:///help":                 "invalid_field",
			"":                              "invalid_field",
		} {
			p := generous()
			p.ReplyMail = parley.ReplyMail{Enabled: true, Page: page}
			s.want(page, s.store.PutProject(context.Background(), p), code)
		}
	})
}

// TestFilterIsBounded: a list is filtered by what a session may have at all.
func TestFilterIsBounded(t *testing.T) {
	onBolt(t, func(s scene) {
		many := map[string]string{}
		for n := range parley.MaxMetadata + 1 {
			many[fmt.Sprint(n)] = "x"
		}
		for name, w := range map[string]parley.SessionFilter{"too many": {Metadata: many}, "external id": {External: "a\x00b"}} {
			_, _, err := s.store.SessionsMatching(context.Background(), s.visitor, parley.PageRequest{}, w)
			if !is(err, parley.ErrInvalid) {
				s.Errorf("%s: %v", name, err)
			}
		}
	})
}

// TestExtrasAreBounded: what comes along with a message is refused with it.
func TestExtrasAreBounded(t *testing.T) {
	onBolt(t, func(s scene) {
		for name, extras := range map[string]parley.Extras{
			"a long prompt":     {Prompt: strings.Repeat("x", parley.MaxPromptBytes+1)},
			"no text":           {Prompt: "\xff"},
			"a list as context": {Context: json.RawMessage(`[]`)},
			"a long context":    {Context: json.RawMessage(`{"a":"` + strings.Repeat("x", parley.MaxContextBytes) + `"}`)},
		} {
			r := say("m1", "")
			r.Extras = extras
			s.unchanged(name, func() {
				if _, err := s.store.Send(context.Background(), s.visitor, r); !is(err, parley.ErrInvalid) {
					s.Errorf("%s: %v", name, err)
				}
			})
		}
	})
}

// TestRefusedUploadIsGivenBack: an upload that the rate of an hour refuses is not
// taken from the address's day.
func TestRefusedUploadIsGivenBack(t *testing.T) {
	onBolt(t, func(s scene) {
		b := generous().Budgets
		b.UploadsPerHour, b.AddressUploads = 1, 3
		s.limitedBy(b)
		grant := func(c parley.Caller) error {
			_, err := s.store.GrantUpload(context.Background(), c, "a.txt", "text/plain", 1000)
			return err
		}
		one := s.from("198.51.100.1")
		s.want("the first", grant(one), "")
		for range 5 {
			s.want("too soon", grant(one), "uploads_limit")
		}
		s.want("another's", grant(s.from("198.51.100.1")), "")
		s.want("a third's", grant(s.from("198.51.100.1")), "")
		s.want("the day's fourth", grant(s.from("198.51.100.1")), "uploads_limit")
	})
}

// TestRefsAreBounded: what a client says of its attachments is as long as it may be and
// no longer.
func TestRefsAreBounded(t *testing.T) {
	x := func(n int) string { return strings.Repeat("x", n) }
	onBolt(t, func(s scene) {
		for name, test := range map[string]struct {
			ref  parley.Ref
			code string
		}{
			"all there may be": {parley.Ref{ID: x(parley.MaxIDBytes), Name: x(parley.MaxNameBytes), Type: x(parley.MaxIDBytes), Size: 1}, ""},
			"nothing":          {parley.Ref{}, ""},
			"a longer id":      {parley.Ref{ID: x(parley.MaxIDBytes + 1)}, "too_large"},
			"a longer name":    {parley.Ref{Name: x(parley.MaxNameBytes + 1)}, "too_large"},
			"a longer type":    {parley.Ref{Type: x(parley.MaxIDBytes + 1)}, "too_large"},
			"no UTF-8":         {parley.Ref{Name: "\xff"}, "invalid_field"},
			"less than none":   {parley.Ref{Size: -1}, "invalid_field"},
		} {
			r := say(parley.EntryID(name), "")
			r.Refs = map[parley.FileID]parley.Ref{"f": test.ref}
			_, err := s.store.Send(context.Background(), s.visitor, r)
			s.want(name, err, test.code)
		}
	})
}

// TestRequestIsChecked: a message asks for one thing.
func TestRequestIsChecked(t *testing.T) {
	onBolt(t, func(s scene) {
		id := s.turn("m").ID
		for name, test := range map[string]struct {
			change func(r *parley.SendRequest)
			code   string
		}{
			"a wish of its own":            {func(r *parley.SendRequest) { r.IfBusy = "hurry" }, "invalid_field"},
			"the longest language":         {func(r *parley.SendRequest) { r.Language = strings.Repeat("x", parley.MaxLanguageBytes) }, ""},
			"a longer language":            {func(r *parley.SendRequest) { r.Language = strings.Repeat("x", parley.MaxLanguageBytes+1) }, "too_large"},
			"begins nothing":               {func(r *parley.SendRequest) { r.Begins, r.Session = true, "" }, "invalid_field"},
			"begins what has begun":        {func(r *parley.SendRequest) { r.Begins, r.Begun = true, true }, "invalid_field"},
			"begins by a retry":            {func(r *parley.SendRequest) { r.Begins, r.Retry, r.Content = true, "m", "" }, "invalid_field"},
			"begins under a bad id":        {func(r *parley.SendRequest) { r.Begins, r.Session = true, "a\x00" }, "invalid_field"},
			"a retry that says something":  {func(r *parley.SendRequest) { r.Retry = "m" }, "invalid_field"},
			"a retry with a file":          {func(r *parley.SendRequest) { r.Retry, r.Content, r.Attachments = "m", "", []parley.FileID{"f"} }, "invalid_field"},
			"a retry of no session's":      {func(r *parley.SendRequest) { r.Retry, r.Content, r.Session = "m", "", "" }, "invalid_field"},
			"nothing":                      {func(r *parley.SendRequest) { r.Content = "" }, "invalid_field"},
			"left for as long as may be":   {func(r *parley.SendRequest) { r.Leave = parley.MaxLeave }, ""},
			"left for longer":              {func(r *parley.SendRequest) { r.Leave = parley.MaxLeave + 1 }, "invalid_field"},
			"left for less than no time":   {func(r *parley.SendRequest) { r.Leave = -1 }, "invalid_field"},
			"the longest data":             {func(r *parley.SendRequest) { r.Data = object(parley.MaxDataBytes) }, ""},
			"longer data":                  {func(r *parley.SendRequest) { r.Data = object(parley.MaxDataBytes + 1) }, "too_large"},
			"data that are no object":      {func(r *parley.SendRequest) { r.Data = json.RawMessage(`[]`) }, "invalid_field"},
			"a longer title of the page":   {func(r *parley.SendRequest) { r.Page.Title = strings.Repeat("x", parley.MaxPageBytes+1) }, "too_large"},
			"a longer address of the page": {func(r *parley.SendRequest) { r.Page.URL = strings.Repeat("x", parley.MaxPageBytes+1) }, "too_large"},
			"a long page":                  {func(r *parley.SendRequest) { r.Page.URL = strings.Repeat("x", parley.MaxPageBytes) }, ""},
		} {
			r := say(parley.EntryID("of "+name), id)
			test.change(&r)
			_, err := s.store.Send(context.Background(), s.visitor, r)
			s.want(name, err, test.code)
			await(time.Second)
		}
	})
}

// object is a JSON object of so many bytes.
func object(bytes int) json.RawMessage {
	return json.RawMessage(`{"a":"` + strings.Repeat("x", bytes-len(`{"a":""}`)) + `"}`)
}

// TestOperatorsAreBounded: an operator has an id of few letters and a name of one line.
func TestOperatorsAreBounded(t *testing.T) {
	x := func(n int) string { return strings.Repeat("x", n) }
	onBolt(t, func(s scene) {
		for name, test := range map[string]struct {
			operator parley.Operator
			code     string
		}{
			"all there may be": {parley.Operator{ID: parley.OperatorID(x(parley.MaxOperatorIDBytes)), Name: x(parley.MaxNameBytes)}, ""},
			"a longer id":      {parley.Operator{ID: parley.OperatorID(x(parley.MaxOperatorIDBytes + 1)), Name: "x"}, "invalid_field"},
			"a longer name":    {parley.Operator{ID: "x", Name: x(parley.MaxNameBytes + 1)}, "too_large"},
			"no id":            {parley.Operator{Name: "x"}, "invalid_field"},
			"no name":          {parley.Operator{ID: "x", Name: " "}, "invalid_field"},
			"a name no UTF-8":  {parley.Operator{ID: "x", Name: "\xff"}, "invalid_field"},
			"of two lines":     {parley.Operator{ID: "x", Name: "a\nb"}, "invalid_field"},
			"all letters":      {parley.Operator{ID: "azAZ09_-", Name: "x", Picture: "https://" + x(parley.MaxPageBytes-len("https://"))}, ""},
			"odd letters":      {parley.Operator{ID: "@", Name: "x"}, "invalid_field"},
			"a longer picture": {parley.Operator{ID: "x", Name: "x", Picture: "https://" + x(parley.MaxPageBytes)}, "too_large"},
		} {
			s.want(name, s.store.PutOperator(context.Background(), parleytest.Project, test.operator), test.code)
		}
	})
}
