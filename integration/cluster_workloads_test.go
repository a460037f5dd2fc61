package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// deployment is one of the class.
func deployment(name string, replicas int, script string) string {
	return fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata: {name: %s}
spec:
  replicas: %d
  selector: {matchLabels: {app: %s}}
  template:
    metadata: {labels: {app: %s}}
    spec:
      runtimeClassName: hatchdog
      terminationGracePeriodSeconds: 1
      containers: [{name: c, image: %s, command: [sh, -c, %q]}]
`, name, replicas, name, name, criImage, script)
}

func clusterRollingUpdate(t *testing.T, c *cluster) {
	c.apply(t, deployment("web", 3, "echo one; "+sleeps))
	c.kubectl(t, "rollout", "status", "deployment/web", "--timeout=90s")
	c.apply(t, deployment("web", 3, "echo two; "+sleeps))
	c.kubectl(t, "rollout", "status", "deployment/web", "--timeout=90s")
	if log := c.kubectl(t, "logs", "-l", "app=web"); strings.Count(log, "two") != 3 {
		t.Errorf("not three new ones: %s", log)
	}
	c.kubectl(t, "rollout", "undo", "deployment/web")
	c.kubectl(t, "rollout", "status", "deployment/web", "--timeout=90s")
	c.confined(t, "deployment/web")
	c.gone(t, "deployment/web")
}

// The data of a StatefulSet's pod is there after the pod, and belongs to the
// same user.
func clusterStatefulSet(t *testing.T, c *cluster) {
	data := filepath.Join(c.dir, "data")
	must(t, os.MkdirAll(data, 0o777))
	must(t, os.Chmod(data, 0o777))
	c.apply(t, fmt.Sprintf(`apiVersion: v1
kind: PersistentVolume
metadata: {name: data}
spec: {capacity: {storage: 1Mi}, accessModes: [ReadWriteOnce], hostPath: {path: %s}, persistentVolumeReclaimPolicy: Retain}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      runtimeClassName: hatchdog
      terminationGracePeriodSeconds: 1
      securityContext: {runAsUser: 1000, runAsGroup: 1000, fsGroup: 1000}
      containers:
      - name: c
        image: %s
        command: [sh, -c, %q]
        volumeMounts: [{name: data, mountPath: /data}]
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], storageClassName: "", resources: {requests: {storage: 1Mi}}}
`, data, criImage, "echo started >>/data/log; "+sleeps))
	waitFor(t, "the first pod", func() bool { _, code := c.try(t, "kubectl", "get", "pod/db-0"); return code == 0 })
	c.ready(t, "pod/db-0")
	c.gone(t, "pod/db-0")
	waitFor(t, "the second pod", func() bool { _, code := c.try(t, "kubectl", "get", "pod/db-0"); return code == 0 })
	c.ready(t, "pod/db-0")
	if log := c.inside(t, "db-0", "cat", "/data/log"); log != "started\nstarted\n" {
		t.Errorf("the data: %q", log)
	}
	wantLines(t, c.inside(t, "db-0", "stat", "-c", "%u:%g", "/data/log"), "1000:1000")
	if owner := ownerOf(t, data+"/log"); owner != "1000:1000" {
		t.Errorf("on the disk it belongs to %s", owner)
	}
	c.gone(t, "statefulset/db")
	c.gone(t, "pvc/data-db-0")
	c.gone(t, "pv/data")
}

// What changes in a ConfigMap or a Secret changes in the pod that runs.
func clusterVolumes(t *testing.T, c *cluster) {
	objects := func(value string) string {
		return fmt.Sprintf("{apiVersion: v1, kind: ConfigMap, metadata: {name: config}, data: {key: %s}}\n---\n{apiVersion: v1, kind: Secret, metadata: {name: secret}, stringData: {key: %s}}\n", value, value)
	}
	c.apply(t, objects("before"))
	c.apply(t, podYAML("volumes", "hatchdog", sleeps, `    securityContext: {runAsUser: 1000}
    env: [{name: KEY, valueFrom: {secretKeyRef: {name: secret, key: key}}}]
    volumeMounts: [{name: config, mountPath: /config}, {name: secret, mountPath: /secret}, {name: up, mountPath: /up}, {name: memory, mountPath: /memory}, {name: config, mountPath: /one, subPath: key}]
  volumes:
  - {name: config, configMap: {name: config}}
  - {name: secret, secret: {secretName: secret, defaultMode: 0444}}
  - {name: memory, emptyDir: {medium: Memory, sizeLimit: 1Mi}}
  - {name: up, downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}]}}
`))
	c.ready(t, "pod/volumes")
	wantLines(t, c.inside(t, "volumes", "sh", "-c", "cat /config/key /secret/key /one /up/labels; echo $KEY; touch /memory/mine && echo written"), "before", `app="volumes"`, "written")
	c.apply(t, objects("after"))
	waitFor(t, "both to change in the pod", func() bool {
		return c.inside(t, "volumes", "cat", "/config/key", "/secret/key") == "afterafter"
	})
	c.gone(t, "pod/volumes", "configmap/config", "secret/secret")
}
