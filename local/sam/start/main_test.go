package main

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"parley/functions/operator"
	"parley/local/sam"
)

func TestSettings(t *testing.T) {
	for _, d := range []struct {
		env  map[string]string
		want sam.Config
		err  string
	}{
		{nil, sam.Config{}, "no DynamoDB Local"},
		{map[string]string{"PARLEY_DYNAMODB": "http://t"}, sam.Config{Root: ".", Table: "http://t", Port: 3000}, ""},
		{map[string]string{"PARLEY_DYNAMODB": "http://t", "PORT": "0", "IMAGE": "minimal"}, sam.Config{Root: ".", Table: "http://t", Minimal: true}, ""},
		{map[string]string{"PARLEY_DYNAMODB": "http://t", "PORT": "65536"}, sam.Config{}, "PORT=65536"},
		{map[string]string{"PARLEY_DYNAMODB": "http://t", "IMAGE": "small"}, sam.Config{}, "IMAGE=small"},
	} {
		got, err := settings(func(name string) string { return d.env[name] })
		if d.err == "" && (err != nil || got != d.want) || d.err != "" && (err == nil || !strings.Contains(err.Error(), d.err)) {
			t.Errorf("%v: %+v, %v; want %+v, %q", d.env, got, err, d.want, d.err)
		}
	}
	if err := run(t.Context(), func(string) string { return "" }, io.Discard, io.Discard); err == nil {
		t.Error("it runs without a table")
	}
}

// TestGreet: the second of the two commands stands there to be copied.
func TestGreet(t *testing.T) {
	var out bytes.Buffer
	greet(&out, &sam.Stack{URL: "http://127.0.0.1:3000", Demo: operator.Created{PublicKeys: []string{"pk_test_x"}, PrivateKey: "sk_y"}})
	for _, want := range []string{"PARLEY=http://127.0.0.1:3000 KEY=pk_test_x docs/examples/chat.sh", "http://127.0.0.1:3000/console/", "sk_y"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the greeting lacks %s", want)
		}
	}
}
