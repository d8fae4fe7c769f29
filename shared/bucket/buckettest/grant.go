package buckettest

import (
	"bytes"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"parley/shared/parley"
)

// Bounds of the grants under test, in bytes.
const minBytes, maxBytes = 4, 100

// grantCase is a form that was changed after it was granted, and what becomes of it.
type grantCase struct {
	change func(*form)
	// status is the answer's, or 0 for any refusal.
	status int
	// code is S3's error code, or "" for any.
	code string
}

var grantCases = map[string]grantCase{
	"as granted":         {func(*form) {}, http.StatusCreated, ""},
	"ignored field":      {set("x-ignore-this", "any"), http.StatusCreated, ""},
	"smallest":           {sized(minBytes), http.StatusCreated, ""},
	"largest":            {sized(maxBytes), http.StatusCreated, ""},
	"too small":          {sized(minBytes - 1), http.StatusBadRequest, "EntityTooSmall"},
	"empty":              {sized(0), http.StatusBadRequest, "EntityTooSmall"},
	"too big":            {sized(maxBytes + 1), http.StatusBadRequest, "EntityTooLarge"},
	"tampered signature": {tamper("X-Amz-Signature"), http.StatusForbidden, "SignatureDoesNotMatch"},
	"tampered policy":    {widen, http.StatusForbidden, "SignatureDoesNotMatch"},
	"tampered date":      {set("X-Amz-Date", "20260101T000000Z"), http.StatusForbidden, "AccessDenied"},
	"other account":      {scope(0, "somebody"), 0, ""},
	"other day":          {scope(1, "20260101"), 0, ""},
	"other region":       {scope(2, "eu-west-9"), 0, ""},
	"other algorithm":    {set("X-Amz-Algorithm", "AWS4-HMAC-SHA1"), 0, ""},
	"other key":          {set("key", newKey()), http.StatusForbidden, "AccessDenied"},
	"key below":          {func(f *form) { f.fields["key"] += "/more" }, http.StatusForbidden, "AccessDenied"},
	"other type":         {set("Content-Type", "text/html"), http.StatusForbidden, "AccessDenied"},
	"no type":            {drop("Content-Type"), http.StatusForbidden, "AccessDenied"},
	"other status":       {set("success_action_status", "200"), http.StatusForbidden, "AccessDenied"},
	"access list":        {set("acl", "public-read"), http.StatusForbidden, "AccessDenied"},
	"metadata":           {set("x-amz-meta-a", "b"), http.StatusForbidden, "AccessDenied"},
	"disposition":        {set("Content-Disposition", "inline"), http.StatusForbidden, "AccessDenied"},
	"redirect":           {set("success_action_redirect", "https://example.com"), http.StatusForbidden, "AccessDenied"},
	"no key":             {drop("key"), http.StatusBadRequest, ""},
	"no policy":          {drop("policy"), http.StatusBadRequest, "InvalidArgument"},
	"no signature":       {drop("X-Amz-Signature"), http.StatusBadRequest, "InvalidArgument"},
	"nothing signed": {drop("policy", "X-Amz-Signature", "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date"),
		http.StatusForbidden, "AccessDenied"},
}

// grants holds b to what a grant allows: one key, one type, a range of sizes,
// for a time, and nothing that it does not name.
func grants(t *testing.T, b parley.Bucket) {
	for name, c := range grantCases {
		t.Run(name, func(t *testing.T) {
			key := newKey()
			f := formFor(must(b.GrantUpload(t.Context(), key, "text/plain", minBytes, maxBytes, time.Minute))(t), []byte("hello, world"))
			c.change(&f)
			status, code := f.post(t)
			if status != c.status && (c.status != 0 || status/100 != 4) || c.code != "" && code != c.code {
				t.Errorf("POST = %d %s, want %d %s", status, code, c.status, c.code)
			}
			if c.status == http.StatusCreated {
				if o, err := b.Inspect(t.Context(), key); err != nil || !bytes.Equal(o.Head, f.file) {
					t.Errorf("Inspect = %q, %v, want %q", o.Head, err, f.file)
				}
				return
			}
			for _, key := range []string{key, key + "/more", f.fields["key"]} {
				if key == "" {
					continue
				}
				if _, err := b.Inspect(t.Context(), key); !errors.Is(err, parley.ErrNoObject) {
					t.Errorf("Inspect of %s after a refusal = %v, want ErrNoObject", key, err)
				}
			}
		})
	}
	t.Run("expired", func(t *testing.T) { expiredGrant(t, b) })
}

func expiredGrant(t *testing.T, b parley.Bucket) {
	before := time.Now()
	grant := must(b.GrantUpload(t.Context(), newKey(), "text/plain", minBytes, maxBytes, 2*time.Second))(t)
	if grant.Expires.Before(before) || grant.Expires.After(time.Now().Add(2*time.Second)) {
		t.Errorf("granted at %v for 2 s, expires %v", before, grant.Expires)
	}
	f := formFor(grant, []byte("too late"))
	eventually(t, "the grant expires", func() bool {
		status, code := f.post(t)
		if status != http.StatusCreated && (status != http.StatusForbidden || code != "AccessDenied") {
			t.Fatalf("POST = %d %s, want 201, then 403 AccessDenied", status, code)
		}
		return status == http.StatusForbidden
	})
	if now := time.Now(); now.Before(grant.Expires) || now.After(grant.Expires.Add(2*time.Second)) {
		t.Errorf("refused since %v, granted until %v", now, grant.Expires)
	}
}

func sized(n int) func(*form) { return func(f *form) { f.file = make([]byte, n) } }

func set(name, value string) func(*form) { return func(f *form) { f.fields[name] = value } }

func drop(names ...string) func(*form) {
	return func(f *form) {
		for _, name := range names {
			delete(f.fields, name)
		}
	}
}

// tamper changes the first digit of a field.
func tamper(name string) func(*form) {
	return func(f *form) { f.fields[name] = tampered(f.fields[name]) }
}

func tampered(digits string) string {
	if digits[0] == '0' {
		return "1" + digits[1:]
	}
	return "0" + digits[1:]
}

// scope replaces one part of the signature's scope, which is account, day,
// region, service and a constant.
func scope(part int, by string) func(*form) {
	return func(f *form) {
		parts := strings.Split(f.fields["X-Amz-Credential"], "/")
		parts[part] = by
		f.fields["X-Amz-Credential"] = strings.Join(parts, "/")
	}
}

// widen raises the upper bound in the policy and leaves the signature alone.
func widen(f *form) {
	policy, err := base64.StdEncoding.DecodeString(f.fields["policy"])
	if err != nil {
		panic(err)
	}
	wide := bytes.Replace(policy, []byte(",100]"), []byte(",9999]"), 1)
	if bytes.Equal(wide, policy) {
		panic("no upper bound in " + string(policy))
	}
	f.fields["policy"] = base64.StdEncoding.EncodeToString(wide)
}
