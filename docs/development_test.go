package docs_test

import (
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sources parses the Go files of a package, as far as their imports.
func sources(t *testing.T, folder, pattern string) (files map[string][]string, comment string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("..", filepath.FromSlash(folder), pattern))
	if err != nil {
		t.Fatal(err)
	}
	files = map[string][]string{}
	for _, path := range paths {
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files[path] = nil
		for _, i := range f.Imports {
			files[path] = append(files[path], strings.Trim(i.Path.Value, `"`))
		}
		comment += f.Doc.Text()
	}
	return files, comment
}

// imported reports whether a package's tests import another.
func imported(t *testing.T, by, path string) bool {
	t.Helper()
	files, _ := sources(t, by, "*_test.go")
	return slices.Contains(slices.Concat(slices.Collect(maps.Values(files))...), path)
}

// The table of suites names every function, and only packages whose tests use
// it. Which functions bundletest runs it takes from the template: all.
func TestSuitesOfFunctions(t *testing.T) {
	mains, err := filepath.Glob("../functions/*/bootstrap")
	if err != nil || len(mains) == 0 {
		t.Fatalf("functions %q, %v", mains, err)
	}
	told := map[string][]string{}
	for _, row := range section(page(t, "development.md"), "Which suite tests which function?").rows(2) {
		name := strings.Trim(row[0], "`")
		told[name] = spans(row[1])
	}
	for _, main := range mains {
		name := filepath.Base(filepath.Dir(main))
		suites := told[name]
		if !slices.Contains(suites, "functions/bundletest") || len(suites) < 2 {
			t.Errorf("development.md says that %s is tested by %q", name, suites)
		}
		if len(suites) == 0 {
			continue
		}
		for _, suite := range suites {
			if suite == "functions/bundletest" || suite == "functions/"+name+"/console" {
				continue
			}
			if !imported(t, suite, "parley/functions/"+name) {
				t.Errorf("development.md says that %s tests %s, and its tests do not import it", suite, name)
			}
		}
		// Who looks at a function that has no tests is told where they are.
		if own, _ := sources(t, "functions/"+name, "*_test.go"); len(own) == 0 {
			if _, comment := sources(t, "functions/"+name, "*.go"); !strings.Contains(comment, "Tested by "+suites[0]) {
				t.Errorf("the package comment of functions/%s does not say that %s tests it", name, suites[0])
			}
		}
	}
}

// Every test kit is told and calls itself one. Folders named so hold one, except
// those that have nothing but tests.
func TestTestKitsAreNamed(t *testing.T) {
	told := map[string]bool{}
	for _, row := range section(page(t, "development.md"), "Test kits").rows(2) {
		folder := strings.Trim(row[0], "`")
		told[folder] = true
		if _, comment := sources(t, folder, "*.go"); !strings.Contains(strings.Join(strings.Fields(comment), " "), " test kit") {
			t.Errorf("the package comment of %s does not call it a test kit", folder)
		}
	}
	for _, top := range []string{"functions", "shared", "local"} {
		err := filepath.WalkDir(filepath.Join("..", top), func(path string, d os.DirEntry, err error) error {
			if err != nil || !d.IsDir() || !strings.HasSuffix(path, "test") {
				return err
			}
			folder := strings.TrimPrefix(filepath.ToSlash(path), "../")
			all, _ := sources(t, folder, "*.go")
			tests, _ := sources(t, folder, "*_test.go")
			if len(all) > len(tests) && !told[folder] {
				t.Errorf("development.md does not name the test kit %s", folder)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// section returns the part of a page below a heading.
func section(a article, heading string) article {
	from := slices.Index(a.prose, "## "+heading) + 1
	length := slices.IndexFunc(a.prose[from:], func(line string) bool { return strings.HasPrefix(line, "## ") })
	a.prose = a.prose[from : from+length]
	return a
}
