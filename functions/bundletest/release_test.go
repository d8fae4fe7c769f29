package bundletest

import (
	"archive/zip"
	"bytes"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// budgets are how long the zip of a function's release may be, in KB: our
// choice, a tenth more than it was in November 2026, so that a new dependency
// is noticed. It is downloaded at every cold start.
var budgets = map[string]int{
	"feed": 3400, "hooks": 3500, "push": 3400,
	"close": 3500, "csat": 3500, "identify": 3600, "updates": 3600, // DynamoDB
	"history": 4000, "uploads": 4000, "sweep": 3900, // and S3
	"chathub": 3700, "consolews": 3500, "cossistantws": 3500,
	"opencx": 4000, "cossistant": 4000,
	"respond": 4000, "review": 4000, "chat": 4200, "hissuno": 4200, // and the models
	"operator": 4400, // and the console
}

// TestRelease weighs what would be uploaded: what sam build made, if
// PARLEY_RELEASE names where that is, else what it builds as sam build does.
func TestRelease(t *testing.T) {
	made := os.Getenv("PARLEY_RELEASE")
	if _, err := exec.LookPath("make"); made == "" && err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("make is not installed")
	}
	for _, name := range readTemplate(t, nil).functions() {
		t.Run(name, func(t *testing.T) {
			folder := filepath.Join(made, logicalID(name))
			if made == "" {
				folder = t.TempDir()
				cmd := exec.Command("make", "--silent", "build-"+logicalID(name), "ARTIFACTS_DIR="+folder)
				cmd.Dir = root
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%v: %s", err, out)
				}
			}
			binary, err := os.ReadFile(filepath.Join(folder, "bootstrap"))
			if err != nil {
				t.Fatal(err)
			}
			f, err := elf.NewFile(bytes.NewReader(binary))
			if err != nil || f.Machine != elf.EM_AARCH64 {
				t.Errorf("the binary is for %v, %v", f.Machine, err)
			}
			size := zipped(t, binary)
			t.Logf("%-8s %6d KB, zipped %5d KB of %d", name, len(binary)>>10, size>>10, budgets[name])
			if size>>10 > budgets[name] {
				t.Errorf("the zip has %d KB, more than its budget of %d", size>>10, budgets[name])
			}
		})
	}
}

func zipped(t *testing.T, binary []byte) int {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create("bootstrap")
	if err == nil {
		_, err = w.Write(binary)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Len()
}
