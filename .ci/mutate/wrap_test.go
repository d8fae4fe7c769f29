package main

import "testing"

func TestApply(t *testing.T) {
	const source = "f(a, b) // é"
	tests := []struct {
		name  string
		wraps []wrap
		want  string
	}{
		{"nothing", nil, source},
		{"one", []wrap{{2, 3, "(", ")"}}, "f((a), b) // é"},
		{"neighbours", []wrap{{2, 3, "<", ">"}, {3, 4, "[", "]"}}, "f(<a>[,] b) // é"},
		{"one inside of another that begins with it", []wrap{{2, 3, "<", ">"}, {2, 6, "[", "]"}}, "f([<a>, b]) // é"},
		{"one inside of another that ends with it", []wrap{{0, 7, "[", "]"}, {5, 7, "<", ">"}}, "[f(a, <b)>] // é"},
		{"two of the same, the first outside", []wrap{{2, 3, "[", "]"}, {2, 3, "<", ">"}}, "f([<a>], b) // é"},
		{"the whole", []wrap{{0, len(source), "[", "]"}}, "[" + source + "]"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := string(apply([]byte(source), test.wraps)); got != test.want {
				t.Errorf("apply = %q, want %q", got, test.want)
			}
		})
	}
}

func TestOneLine(t *testing.T) {
	for code, want := range map[string]string{"a": "a", "if a {\n\tb\n}": "if a { …",
		"äääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääää": "ääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääää …"} {
		if got := oneLine(code); got != want {
			t.Errorf("oneLine(%q) = %q, want %q", code, got, want)
		}
	}
}
