// Mutate measures what the tests would notice. It changes the code in one small
// way at a time, a mutant, and runs the tests that reach the change: a mutant for
// which none of them fails shows behaviour that no test holds.
//
//	go run ./.ci/mutate [flags] package…    from the root of the module
//	go run ./.ci/mutate -sample 300 -with ./functions/respond ./shared/run
//	go run ./.ci/mutate -at take.go:96 ./shared/run
//
// All mutants are compiled at once, into an overlay of the source, and one is
// switched on by the environment of a test's process; nothing in the module
// changes. The packages are those that are changed; their tests are run, and those
// of -with. It prints every mutant that survived and the share that was caught,
// and exits 1 if that is below -least.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

type config struct {
	packages, with []string
	at, skip       string
	seed           uint64
	sample, procs  int
	least          float64
	patience       time.Duration
	verbose        bool
}

func main() {
	var c config
	with := flag.String("with", "", "more packages whose tests are run, separated by commas")
	flag.StringVar(&c.at, "at", "", "only the mutants whose file:line contains this")
	flag.StringVar(&c.skip, "skip", "", "tests that are left out, as `go test -skip` takes them")
	flag.Uint64Var(&c.seed, "seed", 1, "of the sample")
	flag.IntVar(&c.sample, "sample", 300, "how many mutants to try; 0 means all")
	flag.IntVar(&c.procs, "procs", 2, "how many mutants to try at once")
	flag.DurationVar(&c.patience, "patience", 15*time.Second, "how much longer than five times the usual tests may take")
	flag.Float64Var(&c.least, "least", 0, "the share in percent below which the command fails")
	flag.BoolVar(&c.verbose, "v", false, "print every mutant that was tried, and the test that caught it")
	flag.Parse()
	if c.packages = flag.Args(); len(c.packages) == 0 {
		flag.Usage()
		os.Exit(2)
	}
	if *with != "" {
		c.with = strings.Split(*with, ",")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	share, err := c.run(ctx, os.Stdout)
	stop()
	if err == nil && share < c.least {
		err = fmt.Errorf("%.1f %% is less than %.1f %%", share, c.least)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

// run returns the share of the mutants that was caught, in percent.
func (c config) run(ctx context.Context, w io.Writer) (float64, error) {
	packages, err := load(ctx, c.packages)
	if err != nil {
		return 0, err
	}
	var all []*mutant
	for _, p := range packages {
		all = append(all, p.search(len(all))...)
	}
	folder, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(folder)
	tests, err := compile(ctx, folder, packages, len(all), c.with)
	if err != nil {
		return 0, err
	}
	tests.skip, tests.patience = c.skip, c.patience
	if err := tests.record(ctx, folder, c.procs); err != nil {
		return 0, err
	}
	tried := pick(all, c.at, c.sample, c.seed)
	fmt.Fprintf(w, "%d of %d mutants, %d tests in %s\n", len(tried), len(all), len(tests.all), tests.took())
	if err := tests.hunt(ctx, tried, c.procs, func(m *mutant, took time.Duration) {
		if c.verbose || !m.isCaught() {
			fmt.Fprintf(w, "%6s  %s\n", took.Round(time.Second), m)
		}
	}); err != nil {
		return 0, err
	}
	return report(w, tried), nil
}
