// Package testfiles finds the test data, models and photographs that the project does not contain.
package testfiles

import (
	"os"
	"path/filepath"
	"testing"
)

// Path gives the path of a file or folder of the test data: of the folder that TARSIER_TESTDATA names, as seen from the
// module's root, by default ../shared. Where it is not, the test is skipped, or with CI=true fails.
func Path(t testing.TB, name string) string {
	t.Helper()
	data := os.Getenv("TARSIER_TESTDATA")
	if data == "" {
		data = "../shared"
	}
	if !filepath.IsAbs(data) {
		data = filepath.Join(root(t), data)
	}
	path := filepath.Join(data, filepath.FromSlash(name))
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no test data, and with CI=true there must be: %v", err)
		}
		t.Skipf("no test data, set TARSIER_TESTDATA: %v", err)
	}
	return path
}

// root is the folder of go.mod: tests run in that of their package.
func root(t testing.TB) string {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("the tests run outside of the module")
		}
		dir = filepath.Dir(dir)
	}
}
