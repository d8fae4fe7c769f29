package parley_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/table"
)

// ola is an operator of the scene's project.
var ola = parley.Operator{ID: "ola", Name: "Ola", Picture: "https://shop.example/ola.png"}

func (s scene) key(k parley.PrivateKey) (parley.PrivateKey, string) {
	s.Helper()
	made, secret, err := s.store.AddPrivateKey(context.Background(), "demo", k)
	if err != nil {
		s.Fatalf("private key: %v", err)
	}
	return made, secret
}

func (s scene) hire(o parley.Operator) {
	s.Helper()
	if err := s.store.PutOperator(context.Background(), "demo", o); err != nil {
		s.Fatalf("operator: %v", err)
	}
}

func TestPrivateKeys(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		s.hire(ola)
		server := parley.PrivateKey{Name: "backend", Scopes: []parley.Scope{parley.ScopeReply, parley.ScopeRead, parley.ScopeRead}}
		first, secret := s.key(server)
		await(time.Minute)
		second, other := s.key(server)
		await(time.Minute)
		_, _, err := s.store.AddPrivateKey(ctx, "demo", server)
		s.want("a third key of one name", err, "too_many_keys")
		person := parley.PrivateKey{Name: "laptop", Scopes: parley.Scopes(), Operator: "ola", Test: true}
		olas, olasSecret := s.key(person)
		person.Name = "phone"
		s.key(person)
		person.Name = "tablet"
		_, _, err = s.store.AddPrivateKey(ctx, "demo", person)
		s.want("a third key of one operator", err, "too_many_keys")
		person.Operator = "nobody"
		_, _, err = s.store.AddPrivateKey(ctx, "demo", person)
		s.want("a key of nobody", err, "invalid_field")

		if !strings.HasPrefix(secret, "sk_live_") || !strings.HasPrefix(olasSecret, "sk_test_") || len(secret) != 40 || secret == other {
			s.Errorf("secrets %q, %q, %q", secret, other, olasSecret)
		}
		for k, item := range s.table.Dump(s) {
			for _, text := range []string{secret, other, olasSecret} {
				if strings.Contains(fmt.Sprint(k, item), text[8:]) {
					s.Errorf("%v tells a secret", k)
				}
			}
		}
		got, err := s.store.PrivateKeyOf(ctx, secret)
		if err != nil || got.ID != first.ID || got.Project != "demo" || got.Operator != "" || got.Test || fmt.Sprint(got.Scopes) != "[read reply]" || got.May(parley.ScopeManage) {
			s.Errorf("key = %+v, %v", got, err)
		}
		if got, err = s.store.PrivateKeyOf(ctx, olasSecret); err != nil || got.ID != olas.ID || got.Operator != "ola" || !got.Test {
			s.Errorf("key = %+v, %v", got, err)
		}
		for _, wrong := range []string{"", "sk_live_", "pk_test_demo", secret + "x", "sk_test_" + secret[8:], strings.ToUpper(secret), "sk_live_" + strings.Repeat("x", 1000)} {
			if _, err := s.store.PrivateKeyOf(ctx, wrong); parley.Code(err) != "unknown_key" || !is(err, parley.ErrDenied) {
				s.Errorf("PrivateKeyOf(%q) = %v", wrong, err)
			}
		}
		all, err := s.store.PrivateKeys(ctx, "demo")
		if err != nil || len(all) != 4 || all[0].ID != first.ID || all[1].ID != second.ID || all[0].Used == 0 || all[1].Used != 0 {
			s.Errorf("keys = %+v, %v", all, err)
		}

		// The old one goes, and makes room for the next.
		s.want("revoke", s.store.RemovePrivateKey(ctx, "demo", first.ID), "")
		s.want("revoke again", s.store.RemovePrivateKey(ctx, "demo", first.ID), "not_found")
		s.want("revoke another project's", s.store.RemovePrivateKey(ctx, "other", second.ID), "not_found")
		_, err = s.store.PrivateKeyOf(ctx, secret)
		s.want("a revoked key", err, "unknown_key")
		_, err = s.store.PrivateKeyOf(ctx, other)
		s.want("the key beside it", err, "")
		s.key(server)

		// An operator goes with the keys.
		s.want("remove", s.store.RemoveOperator(ctx, "demo", "ola"), "")
		s.want("remove again", s.store.RemoveOperator(ctx, "demo", "ola"), "not_found")
		_, err = s.store.PrivateKeyOf(ctx, olasSecret)
		s.want("the key of who left", err, "unknown_key")
		if all, err = s.store.PrivateKeys(ctx, "demo"); err != nil || len(all) != 2 {
			s.Errorf("keys = %+v, %v", all, err)
		}
		for k := range s.table.Dump(s) {
			if strings.Contains(k.SK, "ola") {
				s.Errorf("%v is left of the operator", k)
			}
		}
	})
}

// TestPrivateKeysAtOnce: of keys that are made at the same time, two work.
func TestPrivateKeysAtOnce(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		s.hire(ola)
		var made sync.Map
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				k, secret, err := s.store.AddPrivateKey(ctx, "demo", parley.PrivateKey{Name: "any", Scopes: parley.Scopes(), Operator: "ola"})
				switch {
				case err == nil:
					made.Store(k.ID, secret)
				case parley.Code(err) != "too_many_keys":
					s.Errorf("key = %v", err)
				}
			})
		}
		all.Wait()
		keys, err := s.store.PrivateKeys(ctx, "demo")
		if err != nil || len(keys) != 2 {
			s.Errorf("%d keys work, %v", len(keys), err)
		}
		for _, k := range keys {
			secret, ok := made.Load(k.ID)
			if !ok {
				s.Errorf("nobody was told the secret of %s", k.ID)
				continue
			}
			if _, err := s.store.PrivateKeyOf(ctx, secret.(string)); err != nil {
				s.Errorf("a key that was made = %v", err)
			}
		}
	})
}

// TestLastUse: it is known to the hour, and costs one write an hour.
func TestLastUse(t *testing.T) {
	onBolt(t, func(s scene) {
		ctx := context.Background()
		_, secret := s.key(parley.PrivateKey{Name: "any", Scopes: parley.Scopes()})
		used := func() int64 {
			keys, err := s.store.PrivateKeys(ctx, "demo")
			if err != nil {
				s.Fatal(err)
			}
			return keys[0].Used
		}
		use := func() {
			if _, err := s.store.PrivateKeyOf(ctx, secret); err != nil {
				s.Fatal(err)
			}
		}
		if used() != 0 {
			s.Error("it was used before it was used")
		}
		use()
		first := used()
		if first != time.Now().UnixMilli() {
			s.Errorf("used at %d, want %d", first, time.Now().UnixMilli())
		}
		await(59 * time.Minute)
		s.unchanged("a second use within the hour", use)
		await(time.Minute)
		use()
		if got := used(); got-first != time.Hour.Milliseconds() {
			s.Errorf("used %d ms after the first time", got-first)
		}
		// A table that refuses writes does not keep operators out.
		await(time.Hour)
		if _, err := s.over(readOnly{s.table}).PrivateKeyOf(ctx, secret); err != nil {
			s.Errorf("without writes: %v", err)
		}
	})
}

// readOnly is a table that takes no write.
type readOnly struct{ table.Table }

func (readOnly) Write(context.Context, ...table.Action) error { return table.ErrNotDone }

func TestOperators(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		long := func(n int) string { return strings.Repeat("x", n) }
		for _, bad := range []struct {
			operator parley.Operator
			code     string
		}{
			{parley.Operator{Name: "Ola"}, "invalid_field"},
			{parley.Operator{ID: "o/la", Name: "Ola"}, "invalid_field"},
			{parley.Operator{ID: parley.OperatorID(long(65)), Name: "Ola"}, "invalid_field"},
			{parley.Operator{ID: "ola", Name: " "}, "invalid_field"},
			{parley.Operator{ID: "ola", Name: "O\nla"}, "invalid_field"},
			{parley.Operator{ID: "ola", Name: "\xff"}, "invalid_field"},
			{parley.Operator{ID: "ola", Name: long(parley.MaxNameBytes + 1)}, "too_large"},
			{parley.Operator{ID: "ola", Name: "Ola", Picture: "http://shop.example/ola.png"}, "invalid_field"},
			{parley.Operator{ID: "ola", Name: "Ola", Picture: "https://" + long(parley.MaxPageBytes)}, "too_large"},
		} {
			s.unchanged("a bad operator", func() {
				s.want(fmt.Sprintf("%+v", bad.operator), s.store.PutOperator(ctx, "demo", bad.operator), bad.code)
			})
		}
		s.hire(ola)
		s.hire(parley.Operator{ID: "Ben", Name: "Ben"})
		renamed := ola
		renamed.Name = "Olga"
		s.hire(renamed)
		all, err := s.store.Operators(ctx, "demo")
		if err != nil || len(all) != 2 || all[0].Name != "Ben" || all[1] != renamed {
			s.Errorf("operators = %+v, %v", all, err)
		}
		if got, err := s.store.Operator(ctx, "demo", "ola"); err != nil || got != renamed {
			s.Errorf("operator = %+v, %v", got, err)
		}
		_, err = s.store.Operator(ctx, "other", "ola")
		s.want("another project's operator", err, "not_found")
		_, err = s.store.Operator(ctx, "demo", parley.OperatorID(long(1000)))
		s.want("an endless id", err, "not_found")
	})
	onBolt(t, func(s scene) {
		for n := range parley.MaxOperators {
			s.hire(parley.Operator{ID: parley.OperatorID(fmt.Sprint(n)), Name: "One"})
		}
		s.want("one more", s.store.PutOperator(context.Background(), "demo", ola), "invalid_field")
		s.hire(parley.Operator{ID: "7", Name: "Seven"})
	})
}

// TestPrivateKeysAreChecked: a key has a name of one line and scopes that there are.
func TestPrivateKeysAreChecked(t *testing.T) {
	read := []parley.Scope{parley.ScopeRead}
	onBolt(t, func(s scene) {
		for name, test := range map[string]struct {
			key  parley.PrivateKey
			code string
		}{
			"the longest name":  {parley.PrivateKey{Name: strings.Repeat("x", parley.MaxKeyNameBytes), Scopes: read}, ""},
			"a longer name":     {parley.PrivateKey{Name: strings.Repeat("x", parley.MaxKeyNameBytes+1), Scopes: read}, "too_large"},
			"no name":           {parley.PrivateKey{Name: " ", Scopes: read}, "invalid_field"},
			"two lines":         {parley.PrivateKey{Name: "a\nb", Scopes: read}, "invalid_field"},
			"no UTF-8":          {parley.PrivateKey{Name: "\xff", Scopes: read}, "invalid_field"},
			"no scope":          {parley.PrivateKey{Name: "a"}, "invalid_field"},
			"a scope of no use": {parley.PrivateKey{Name: "a", Scopes: []parley.Scope{parley.ScopeRead, "root"}}, "invalid_field"},
			"a bad operator":    {parley.PrivateKey{Name: "a", Scopes: read, Operator: "a\x00"}, "invalid_field"},
			"a long operator":   {parley.PrivateKey{Name: "a", Scopes: read, Operator: parley.OperatorID(strings.Repeat("x", 5000))}, "invalid_field"},
		} {
			_, _, err := s.store.AddPrivateKey(context.Background(), "demo", test.key)
			s.want(name, err, test.code)
		}
	})
}

// TestKeysOfWhoLeaves: whatever is done to the keys of an operator who is removed just
// then, none of them works afterwards.
func TestKeysOfWhoLeaves(t *testing.T) {
	ctx := context.Background()
	of := parley.PrivateKey{Name: "any", Scopes: parley.Scopes(), Operator: "ola"}
	for name, test := range map[string]struct {
		code    string
		keyless bool
		do      func(s scene, first parley.PrivateKey) (secret string)
	}{
		"one more": {"", false, func(s scene, _ parley.PrivateKey) string {
			_, secret := s.key(of)
			return secret
		}},
		"another in place of one": {"", false, func(s scene, first parley.PrivateKey) string {
			s.want("revoke", s.store.RemovePrivateKey(ctx, "demo", first.ID), "")
			_, secret := s.key(of)
			return secret
		}},
		"removed twice": {"not_found", true, func(s scene, _ parley.PrivateKey) string {
			s.want("remove", s.store.RemoveOperator(ctx, "demo", "ola"), "")
			return ""
		}},
	} {
		t.Run(name, func(t *testing.T) {
			onBolt(t, func(s scene) {
				s.hire(ola)
				var first parley.PrivateKey
				var secret, other string
				if !test.keyless {
					first, secret = s.key(of)
				}
				slow := s.over(&meanwhile{Table: s.table, sk: "private/operator/ola/1", do: func() { other = test.do(s, first) }})
				s.want("remove", slow.RemoveOperator(ctx, "demo", "ola"), test.code)
				for _, secret := range []string{secret, other} {
					_, err := s.store.PrivateKeyOf(ctx, secret)
					s.want("a key of who left", err, "unknown_key")
				}
				if all, err := s.store.PrivateKeys(ctx, "demo"); err != nil || len(all) != 0 {
					s.Errorf("keys = %+v, %v", all, err)
				}
			})
		})
	}
}

// TestKeyRevokedMeanwhile: a key that is revoked while it is used stays revoked, and who
// revokes it once more does nothing to the key that came in its place.
func TestKeyRevokedMeanwhile(t *testing.T) {
	onBolt(t, func(s scene) {
		ctx := context.Background()
		of := parley.PrivateKey{Name: "any", Scopes: parley.Scopes()}
		first, secret := s.key(of)
		revoke := func() { s.want("revoke", s.store.RemovePrivateKey(ctx, "demo", first.ID), "") }
		used := s.over(&meanwhile{Table: s.table, sk: "-", do: revoke})
		_, err := used.PrivateKeyOf(ctx, secret)
		s.want("used as it is revoked", err, "")
		_, err = s.store.PrivateKeyOf(ctx, secret)
		s.want("used after it", err, "unknown_key")

		first, _ = s.key(of)
		var other string
		again := s.over(&meanwhile{Table: s.table, sk: "private/", do: func() {
			revoke()
			_, other = s.key(of)
		}})
		s.want("revoke again", again.RemovePrivateKey(ctx, "demo", first.ID), "")
		_, err = s.store.PrivateKeyOf(ctx, other)
		s.want("the key in its place", err, "")
		if all, err := s.store.PrivateKeys(ctx, "demo"); err != nil || len(all) != 1 {
			s.Errorf("keys = %+v, %v, want the one in its place", all, err)
		}
	})
}

// TestPrivateKeyByAnother: a key gives what it has, if it may make keys at all.
func TestPrivateKeyByAnother(t *testing.T) {
	onBolt(t, func(s scene) {
		for name, test := range map[string]struct {
			has, gives []parley.Scope
			code       string
		}{
			"what it has":            {[]parley.Scope{parley.ScopeManage, parley.ScopeRead}, []parley.Scope{parley.ScopeRead}, ""},
			"more than it has":       {[]parley.Scope{parley.ScopeManage, parley.ScopeRead}, []parley.Scope{parley.ScopeRead, parley.ScopeReply}, "scope_missing"},
			"without managing":       {[]parley.Scope{parley.ScopeRead}, []parley.Scope{parley.ScopeRead}, "scope_missing"},
			"a scope that is no one": {[]parley.Scope{parley.ScopeManage}, []parley.Scope{"root"}, "invalid_field"},
		} {
			_, _, err := s.store.AddPrivateKeyBy(context.Background(), parley.PrivateKey{Project: "demo", Scopes: test.has}, parley.PrivateKey{Name: name, Scopes: test.gives})
			s.want(name, err, test.code)
		}
	})
}
