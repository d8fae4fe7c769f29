package bench

import (
	"archive/zip"
	"cmp"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"parley/shared/lambdatest"
)

const chatBinary = "parley/functions/chat/bootstrap"

// measureBinaries measures what Lambda fetches and starts.
func measureBinaries(t *tier) {
	measureStart(t)
	measureSizes(t)
}

// starts is how often each binary is started.
const starts = 20

// measureStart times the chat function from its start to its asking for an
// event, against a function that does nothing. Both wait for nobody meanwhile:
// on Lambda the master secret is fetched as well.
func measureStart(t *tier) {
	minimal := lambdatest.Start(t, lambdatest.Config{Binary: lambdatest.Build(t, "parley/local/bench/testdata/minimal"), Name: "minimal"})
	chat := lambdatest.Start(t, lambdatest.Config{Binary: lambdatest.Build(t, chatBinary), Name: "chat", Env: map[string]string{
		"PARLEY_TABLE":            "none",
		"PARLEY_MASTER_SECRET":    strings.Repeat("k", 64),
		"PARLEY_RESPOND_FUNCTION": "respond",
		"PARLEY_SOCKETS":          noSockets,
	}})
	var took [2]samples
	for range starts {
		for i, f := range []*lambdatest.Function{minimal, chat} {
			d, err := f.Init()
			fatal(t, err)
			took[i].add(d)
		}
	}
	t.atMost("start of the chat function, of a function's that does nothing", "%.1f ×",
		ratio(took[1].median(), took[0].median()), 2)
	t.note("… from start to the first event; the other's", millis(took[1].median())+"; "+millis(took[0].median()))
}

// measureSizes builds every function as `sam build` does and packs it.
func measureSizes(t *tier) {
	for _, program := range []string{"make", "go"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(err)
		}
	}
	mains, err := filepath.Glob("../../functions/*/bootstrap")
	fatal(t, err)
	var others []string
	for _, main := range mains {
		name := filepath.Base(filepath.Dir(main))
		binary, packed := t.build(name)
		said := fmt.Sprintf("%.1f (binary %.1f)", mb(packed), mb(binary))
		if name == "chat" {
			t.hold("MB of the chat function's zip", said, "≤ 6", packed <= 6e6)
			continue
		}
		others = append(others, name+" "+said)
	}
	t.note("… of the others'", strings.Join(others, ", "))
}

func mb(bytes int64) float64 { return float64(bytes) / 1e6 }

// build returns the sizes in bytes of a function's release binary and its zip.
func (t *tier) build(name string) (binary, packed int64) {
	folder := t.TempDir()
	first, size := utf8.DecodeRuneInString(name)
	target := "build-" + string(unicode.ToUpper(first)) + name[size:] + "Function"
	cmd := exec.Command("make", "--silent", "--no-print-directory", target, "ARTIFACTS_DIR="+folder)
	cmd.Dir = "../.."
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make %s: %v: %s", target, err, said)
	}
	from, err := os.Open(filepath.Join(folder, "bootstrap"))
	fatal(t, err)
	defer from.Close()
	var out counter
	z := zip.NewWriter(&out)
	to, err := z.Create("bootstrap")
	fatal(t, err)
	binary, err = io.Copy(to, from)
	fatal(t, cmp.Or(err, z.Close()))
	return binary, int64(out)
}

// counter is a writer that only counts.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
