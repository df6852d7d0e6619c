// Command client134 is a program of users who have not moved on: it uses a cluster, which its KUBECONFIG names, by the client-go
// of its module as controllers do. It fails with the first thing that does not work.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// program is what it works with.
type program struct {
	namespace string
	typed     kubernetes.Interface
	untyped   dynamic.Interface
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return err
	}
	for _, format := range []string{runtime.ContentTypeJSON, runtime.ContentTypeProtobuf} {
		if err := with(ctx, config, format); err != nil {
			return fmt.Errorf("%s: %w", format, err)
		}
	}
	return nil
}

func with(ctx context.Context, config *rest.Config, format string) error {
	p := &program{}
	chosen := rest.CopyConfig(config)
	chosen.ContentType, chosen.AcceptContentTypes = format, format+","+runtime.ContentTypeJSON
	var err error
	if p.typed, err = kubernetes.NewForConfig(chosen); err != nil {
		return err
	}
	if p.untyped, err = dynamic.NewForConfig(config); err != nil {
		return err
	}
	made, err := p.typed.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "old-"}}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	p.namespace = made.Name
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"discovery", p.discover}, {"a Deployment's life", p.deploy}, {"lists in pages", p.page}, {"watches", p.watch}, {"informers", p.inform},
		{"untyped objects", p.untypedLife},
	} {
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return p.typed.CoreV1().Namespaces().Delete(ctx, p.namespace, metav1.DeleteOptions{})
}

// expect is an error with these words unless it is so.
func expect(so bool, words string, args ...any) error {
	if so {
		return nil
	}
	return errors.New("expected " + fmt.Sprintf(words, args...))
}
