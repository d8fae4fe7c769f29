package browsertest

import (
	"context"
	_ "embed"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

//go:embed audit.js
var audit string

// sizes are the windows in which a page is audited: a desk, a tablet, phones.
var sizes = [][2]int64{{1440, 900}, {768, 1024}, {375, 740}, {320, 568}}

// Audit fails the test for what is wrong with the tab as it is now, at four
// widths, light and dark: see audit.js for what is asked. state names what is
// shown, in the failures.
func Audit(t testing.TB, ctx context.Context, state string) {
	t.Helper()
	for _, size := range sizes {
		if err := chromedp.Do(ctx, chromedp.EmulateViewport(size[0], size[1])); err != nil {
			t.Fatal(err)
		}
		for _, theme := range []string{"light", "dark"} {
			SetTheme(t, ctx, theme)
			var faults []string
			for range 10 { // the styles of a theme take some frames to settle
				wait(t, ctx)
				var err error
				if faults, err = chromedp.Run(ctx, chromedp.Evaluate[[]string](audit)); err != nil {
					t.Fatalf("audit: %v", err)
				}
				if len(faults) == 0 {
					break
				}
			}
			for _, f := range faults {
				t.Errorf("%s, %d px wide, %s: %s", state, size[0], theme, f)
			}
		}
	}
}

// SetTheme makes the system's theme "light" or "dark", and stops animations.
func SetTheme(t testing.TB, ctx context.Context, theme string) {
	t.Helper()
	scheme := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: theme}, {Name: "prefers-reduced-motion", Value: "reduce"}}}
	if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, scheme); err != nil {
		t.Fatal(err)
	}
}

func wait(t testing.TB, ctx context.Context) {
	t.Helper()
	const frames = `new Promise(r => requestAnimationFrame(() => setTimeout(r, 50)))`
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[chromedp.Void](frames, chromedp.EvalAwaitPromise)); err != nil {
		t.Fatal(err)
	}
}
