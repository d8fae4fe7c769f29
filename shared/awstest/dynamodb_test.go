package awstest_test

import (
	"bufio"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"testing"
	"time"

	"parley/shared/awstest"
	"parley/shared/table"
)

func TestTablesAreApart(t *testing.T) {
	one, two := awstest.Table(t), awstest.Table(t)
	item := table.Item{table.PK: "p", table.SK: "s"}
	if err := one.Write(t.Context(), table.Put(item)); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		tbl  table.Table
		want table.Item
	}{"one": {one, item}, "two": {two, nil}} {
		items, err := test.tbl.Get(t.Context(), true, item.Key())
		if err != nil || !items[0].Equal(test.want) {
			t.Errorf("table %s holds %v (%v), want %v", name, items, err, test.want)
		}
	}
}

// holdVariable makes TestServerEndsWithItsTests the process that is killed.
const holdVariable = "PARLEY_TEST_HOLD"

func TestServerEndsWithItsTests(t *testing.T) {
	t.Setenv(awstest.DynamoDBVariable, "") // this test needs a server that it started
	endpoint := *awstest.DynamoDB(t).Options().BaseEndpoint
	if os.Getenv(holdVariable) != "" {
		fmt.Println(endpoint)
		select {}
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestServerEndsWithItsTests$")
	cmd.Env = append(os.Environ(), holdVariable+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Scan()
	other, err := url.Parse(lines.Text())
	if err != nil || other.Host == "" {
		t.Fatalf("the other tests printed %q (%v), want an endpoint", lines.Text(), err)
	}
	if !listening(other.Host) {
		t.Errorf("nobody listens at %s while its tests run", other)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for listening(other.Host) {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s still listens after its tests were killed", other)
		}
	}
}

func listening(address string) bool {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}
