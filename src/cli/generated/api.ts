/** Made from openapi.json by npm run generate. */
export interface paths {
    "/v1/status": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What is protected, how far back, and which objectives are missed */
        get: operations["status"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/environments": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The environments that this server protects */
        get: operations["listEnvironments"];
        put?: never;
        /** Protect what a holdfast.yaml declares; again after every change of it */
        post: operations["apply"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/captures": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Capture one store or all of them now */
        post: operations["protect"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/captures/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** How a capture is getting on; waits for its end as long as asked */
        get: operations["getCapture"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/points": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Recovery points, newest first */
        get: operations["listPoints"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/marks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Named instants, newest first */
        get: operations["listMarks"];
        put?: never;
        /** Name this instant, as a deploy or anything else */
        post: operations["mark"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/proofs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What was brought up and looked at, newest first */
        get: operations["listProofs"];
        put?: never;
        /** Bring an instant up in isolation, check it, and take it away again */
        post: operations["prove"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/proofs/runs/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** How a proof that was asked for is getting on; waits for its end as long as asked */
        get: operations["getProofRun"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/recoveries": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What was recovered and lives on */
        get: operations["listRecoveries"];
        put?: never;
        /** Bring the environment back as it was, beside production or in its place */
        post: operations["recover"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/recoveries/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One recovery; waits for its end as long as asked */
        get: operations["getRecovery"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/recoveries/{id}/promote": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Put a recovery in the place of production; what it replaces is kept */
        post: operations["promoteRecovery"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/recoveries/{id}/undo": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Put back what a promoted recovery replaced */
        post: operations["undoRecovery"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/recoveries/{id}/remove": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Stop a recovery and remove its data */
        post: operations["removeRecovery"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/recoveries/{id}/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Mount it again and start what should run */
        post: operations["resumeRecovery"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/recoveries/{id}/pause": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Bring no more of it here for now */
        post: operations["pauseRecovery"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/recoveries/{id}/leave": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Restart its databases on plain folders, once all of it is here */
        post: operations["leaveRecovery"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/recoveries/{id}/hydrate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Bring the rest of it here in the background, at this rate */
        post: operations["hydrateRecovery"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/parts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Look a part of a store up in a copy; what would change production only shows it */
        post: operations["beginPart"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/parts/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** How it is getting on; waits for its preview or end as long as asked */
        get: operations["getPart"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/parts/{id}/differences": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What differs, as far as it was found, in the order in which it was */
        get: operations["listDifferences"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/parts/{id}/apply": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Change production as the preview showed it */
        post: operations["applyPart"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/parts/{id}/discard": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Give it up and take its copy away */
        post: operations["discardPart"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/merges/{id}/undo": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Take back the rows that a merge brought, but for what was changed since */
        post: operations["undoMerge"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/server": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** This control plane itself */
        get: operations["getServer"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/shutdown": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Stop protecting and end this server */
        post: operations["shutdown"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @description What was wrong, where, and what to do. */
        Failure: {
            error: {
                code: string;
                /** @enum {string} */
                kind: "failed" | "invalid" | "partial" | "refused" | "not-found" | "verdict" | "interrupted";
                message: string;
                guidance: string;
                retryable: boolean;
                where?: string;
                facts?: {
                    [key: string]: unknown;
                };
            };
        };
        Capture: {
            id: string;
            environment: string;
            stage: string;
            store: string;
            /** @enum {string} */
            state: "waiting" | "running" | "done" | "partial" | "failed";
            startedAtMs?: number;
            endedAtMs?: number;
            capture?: string;
            bytes?: number;
            newBytes?: number;
            storedBytes?: number;
            readBy?: {
                way: string;
                because?: string;
            };
            problems: {
                path: string;
                what: string;
            }[];
            problemCount: number;
            progress?: {
                step: string;
                doneBytes?: number;
                totalBytes?: number;
            };
            failure?: {
                code: string;
                /** @enum {string} */
                kind: "failed" | "invalid" | "partial" | "refused" | "not-found" | "verdict" | "interrupted";
                message: string;
                guidance: string;
                retryable: boolean;
                where?: string;
                facts?: {
                    [key: string]: unknown;
                };
            };
        };
        Applied: {
            environment: string;
            stage: string;
            stores: {
                name: string;
                /** @enum {string} */
                change: "added" | "changed" | "unchanged" | "removed" | "excluded";
            }[];
        };
        Environment: {
            environment: string;
            stage: string;
            file: string;
            appliedAtMs: number;
            /** @enum {string} */
            state: "starting" | "protected" | "trouble";
            trouble?: string;
        };
        Mark: {
            id: string;
            environment: string;
            stage: string;
            kind: string;
            atMs: number;
            sha?: string;
            author?: string;
            note?: string;
            positions: {
                [key: string]: {
                    line: number;
                    offset: string;
                };
            };
        };
        Recovery: {
            id: string;
            environment: string;
            stage: string;
            /** @enum {string} */
            status: "planned" | "recovering" | "ready" | "checks-failed" | "failed" | "promoting" | "promoted" | "undoing" | "undone" | "removing" | "removed";
            inPlace: boolean;
            createdAtMs: number;
            instantMs: number;
            title: string;
            folder?: string;
            stores: {
                store: string;
                from: string;
                capture: string;
                atMs: number;
                skewMs: number;
                uncertaintyMs: number;
                leads: boolean;
                leftBehind?: string;
                overLimit: boolean;
                position?: {
                    line: number;
                    offset: string;
                };
                bytes: number;
                notes?: string[];
                url?: string;
                urlFile?: string;
                directory?: string;
                replaced?: string;
                /** @description Its content comes from the repository as it is touched */
                isMounted?: boolean;
            }[];
            services: {
                name: string;
                url: string;
            }[];
            checks: {
                name: string;
                /** @enum {string} */
                verdict: "pass" | "fail" | "unknown";
                what: string;
                tookMs: number;
            }[];
            phases: {
                phase: string;
                tookMs: number;
            }[];
            bytesRead: number;
            /** @description Why all data was written out before anything started, though it was to be mounted */
            notMounted?: string;
            /** @description Of one that is mounted: how much of it is here, and what brings the rest */
            hydration?: {
                /** @enum {string} */
                state: "waiting" | "running" | "paused" | "done" | "failed";
                presentBytes: number;
                totalBytes: number;
                bytesPerSecond?: number;
                remainingMs?: number;
                failure?: string;
                /** @description When its databases are restarted once, to stand on their own */
                leaveAtMs?: number;
            };
            /** @description Stores whose mount lost the process that served it */
            unserved?: string[];
            /** @description What went wrong where its mounts were read or kept, in words */
            troubles?: string[];
            progress?: {
                step: string;
                doneBytes?: number;
                totalBytes?: number;
            };
            failure?: {
                code: string;
                /** @enum {string} */
                kind: "failed" | "invalid" | "partial" | "refused" | "not-found" | "verdict" | "interrupted";
                message: string;
                guidance: string;
                retryable: boolean;
                where?: string;
                facts?: {
                    [key: string]: unknown;
                };
            };
        };
        /** @description A part of a store, looked up in a copy that passes. */
        Part: {
            id: string;
            environment: string;
            stage: string;
            /** @enum {string} */
            kind: "tables" | "files" | "difference" | "condition";
            /**
             * @description previewed: what would change is shown, and nothing does before it is applied
             * @enum {string}
             */
            state: "working" | "previewed" | "applying" | "done" | "failed" | "discarded";
            store?: string;
            /** @description What the store is as of; of two instants the earlier */
            atMs?: number;
            /** @description The later of two instants */
            untilMs?: number;
            title?: string;
            notes: string[];
            tables?: {
                table: string;
                target: string;
                rows: number;
                inserts: number;
                updates: number;
                differing: number;
                first: {
                    /** @enum {string} */
                    change: "insert" | "update";
                    values: {
                        [key: string]: string | null;
                    };
                    becomes?: {
                        [key: string]: {
                            now: string | null;
                            was: string | null;
                        };
                    };
                }[];
                notes: string[];
            }[];
            files?: {
                from: string;
                to: string;
                files: number;
                bytes: number;
                added: number;
                same: number;
                replaced: number;
                first: {
                    path: string;
                    /** @enum {string} */
                    change: "added" | "replaced";
                    sizeBytes: number;
                }[];
            };
            taken?: {
                tables: {
                    table: string;
                    target: string;
                    inserted: number;
                    updated: number;
                }[];
                /** @description id by which it can be taken back */
                undo?: string;
            };
            /** @description Folder that holds the files that were replaced */
            kept?: string;
            problems?: {
                path: string;
                what: string;
            }[];
            condition?: {
                heldMs: number;
                failedMs: number;
                isExact: boolean;
                copies: number;
            };
            /** @description How many there are to be read; more may have been found */
            differences?: number;
            /** @description More differences were found than are kept */
            hasMore?: boolean;
            /** @description Discarded then, unless it is applied */
            expiresAtMs?: number;
            progress?: {
                step: string;
                doneBytes?: number;
                totalBytes?: number;
            };
            failure?: {
                code: string;
                /** @enum {string} */
                kind: "failed" | "invalid" | "partial" | "refused" | "not-found" | "verdict" | "interrupted";
                message: string;
                guidance: string;
                retryable: boolean;
                where?: string;
                facts?: {
                    [key: string]: unknown;
                };
            };
        };
        UndoneMerge: {
            id: string;
            tables: {
                table: string;
                removed: number;
                restored: number;
                changedSince: number;
            }[];
        };
        /** @description The record of an instant that was brought up and looked at. */
        Proof: {
            id: string;
            environment: string;
            stage: string;
            instantMs: number;
            point?: string;
            startedAtMs: number;
            endedAtMs: number;
            /** @enum {string} */
            verdict: "pass" | "fail" | "unknown";
            checks: {
                name: string;
                /** @enum {string} */
                verdict: "pass" | "fail" | "unknown";
                what: string;
                tookMs: number;
            }[];
            phases: {
                phase: string;
                tookMs: number;
            }[];
            stores: {
                [key: string]: {
                    capture: string;
                    atMs: number;
                    position?: {
                        line: number;
                        offset: string;
                    };
                };
            };
            readBytes: number;
            cpuMs: number;
            digest: string;
            declaration: string;
            by: {
                version: string;
                host: string;
                controlPlane?: string;
            };
        };
        ProofRun: {
            id: string;
            environment: string;
            stage: string;
            /** @enum {string} */
            state: "waiting" | "running" | "done" | "failed";
            proof?: components["schemas"]["Proof"];
            /** @description Why all data was written out first */
            notMounted?: string;
            progress?: {
                step: string;
                doneBytes?: number;
                totalBytes?: number;
            };
            failure?: {
                code: string;
                /** @enum {string} */
                kind: "failed" | "invalid" | "partial" | "refused" | "not-found" | "verdict" | "interrupted";
                message: string;
                guidance: string;
                retryable: boolean;
                where?: string;
                facts?: {
                    [key: string]: unknown;
                };
            };
        };
        /** @description An instant to which the whole environment can be brought back. */
        Point: {
            id: string;
            atMs: number;
            stores: {
                [key: string]: {
                    capture: string;
                    madeOf?: string;
                };
            };
            infrastructure?: string;
            services: {
                [key: string]: {
                    version?: string;
                };
            };
            proof?: {
                id: string;
                /** @enum {string} */
                verdict: "pass" | "fail" | "unknown";
                atMs: number;
                failedBy?: string;
            };
        };
        Server: {
            version: string;
            pid: number;
            startedAtMs: number;
            stateFolder: string;
            controlPlane: string;
            epoch: string;
            standsBy?: string;
        };
        Status: {
            environment: string;
            stage: string;
            atMs: number;
            repository: string;
            trouble?: string;
            stores: components["schemas"]["StoreStatus"][];
            missed: number;
            unknown: number;
            points: number;
            catalogCapturedAtMs?: number;
            maintenance?: components["schemas"]["MaintenanceStatus"];
            proofs?: components["schemas"]["ProofStatus"];
        };
        StoreStatus: {
            name: string;
            source: string;
            protect: string;
            /**
             * @description The objective of this store. No data is `unknown`, never `met`.
             * @enum {string}
             */
            verdict: "met" | "missed" | "unknown" | "excluded";
            says?: string;
            rpoMs?: number;
            lagMs?: number;
            unchangedThroughMs?: number;
            recoverableSinceMs?: number;
            windows: {
                fromMs: number;
                toMs: number;
            }[];
            gaps: {
                fromMs: number;
                toMs?: number;
                because: string;
            }[];
            captures: number;
            lastCapture?: {
                id: string;
                kind: string;
                atMs: number;
                problems: number;
                madeOf?: string;
            };
            sizeBytes?: number;
            storedBytes?: number;
            journal?: {
                /** @enum {string} */
                state: "connecting" | "streaming" | "waiting" | "needs-base" | "stopped";
                because?: string;
                synced?: {
                    line: number;
                    offset: string;
                };
                shipped?: {
                    line: number;
                    offset: string;
                };
                spoolBytes: number;
            };
            running?: {
                step: string;
                doneBytes?: number;
                totalBytes?: number;
            };
        };
        MaintenanceStatus: {
            check: {
                /** @enum {string} */
                verdict: "pass" | "fail" | "unknown";
                atMs?: number;
                problems?: {
                    kind: string;
                    id: string;
                    what: string;
                }[];
                problemCount?: number;
                mended?: {
                    name: string;
                    what: string;
                }[];
                mendedCount?: number;
                affected?: {
                    snapshot: string;
                    path: string;
                    because: string;
                }[];
                affectedCount?: number;
                readBytes?: number;
                totalBytes?: number;
                freshBytes?: number;
                overdue?: number;
                periodMs?: number;
                failing?: {
                    sinceMs: number;
                    what: string;
                };
            };
            prune: {
                atMs?: number;
                packsRemoved?: number;
                nextSweepMs?: number;
                blocked?: {
                    sinceMs: number;
                    by: string;
                };
                failing?: {
                    sinceMs: number;
                    what: string;
                };
            };
            retention: {
                atMs?: number;
                failing?: {
                    sinceMs: number;
                    what: string;
                };
            };
            findings: string[];
        };
        ProofStatus: {
            /** @enum {string} */
            verdict: "pass" | "fail" | "unknown";
            atMs?: number;
            provenAtMs?: number;
            provenInstantMs?: number;
            failedBy?: string;
            failedWhat?: string;
            periodMs: number;
            waitsFor?: string;
            running?: string;
            findings: string[];
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    status: {
        parameters: {
            query?: {
                environment?: string;
                stage?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Status"];
                };
            };
            /** @description Default Response */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Failure"];
                };
            };
        };
    };
    listEnvironments: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Environment"][];
                };
            };
            /** @description Default Response */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Failure"];
                };
            };
        };
    };
    apply: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    file: string;
                    stage?: string;
                    /** @default false */
                    takeOver?: boolean;
                };
            };
        };
        responses: {
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Applied"];
                };
            };
            /** @description Default Response */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Failure"];
                };
            };
        };
    };
    protect: {
        parameters: {
            query?: {
                environment?: string;
                stage?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    store?: string;
                };
            };
        };
        responses: {
            /** @description Default Response */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Capture"][];
                };
            };
            /** @description Default Response */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Failure"];
                };
            };
        };
    };
    getCapture: {
        parameters: {
            query?: {
                waitMs?: number;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Capture"];
                };
            };
            /** @description Default Response */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Failure"];
                };
            };
        };
    };
    listPoints: {
        parameters: {
            query?: {
                environment?: string;
                stage?: string;
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Point"][];
                };
            };
            /** @description Default Response */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Failure"];
                };
            };
        };
    };
    listMarks: {
        parameters: {
            query?: {
                environment?: string;
                stage?: string;
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Mark"][];
                };
            };
            /** @description Default Response */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Failure"];
                };
            };
        };
    };
    mark: {
        parameters: {
            query?: {
                environment?: string;
                stage?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    kind: string;
                    sha?: string;
                    author?: string;
                    note?: string;
                };
            };
        };
        responses: {
            /** @description Default Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Mark"];
                };
            };
            /** @description Default Response */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Failure"];
                };
            };
        };
    };
    listProofs: {
        parameters: {
            query?: {
                environment?: string;
                stage?: string;
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Proof"][];
                };
            };
            /** @description Default Response */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Failure"];
                };
            };
        };
    };
    prove: {
        parameters: {
            query?: {
                environment?: string;
                stage?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    /**
                     * @description Write all data out before anything starts, instead of as it is touched
                     * @default false
                     */
                    full?: boolean;
                    owner?: string;
                    to?: {
                        /** @enum {string} */
                        kind: "latest";
                    } | {
                        /** @enum {string} */
                        kind: "time";
                        atMs: number;
                    } | {
                        /** @enum {string} */
                        kind: "lsn";
                        lsn: string;
                    } | {
                        /** @enum {string} */
                        kind: "before-mark";
                        markKind: string;
                        name?: string;
                    } | {
                        /** @enum {string} */
                        kind: "restore-point";
                        name: string;
                    };
                };
            };
        };
        responses: {
            /** @description Default Response */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProofRun"];
                };
            };
            /** @description Default Response */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Failure"];
                };
            };
        };
    };
    getProofRun: {
        parameters: {
            query?: {
                waitMs?: number;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProofRun"];
                };
            };
            /** @description Default Response */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Failure"];
                };
            };
        };
    };
    listRecoveries: {
        parameters: {
            query?: {
                environment?: string;
                stage?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Recovery"][];
                };
            };
            /** @description Default Response */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Failure"];
                };
            };
        };
    };
    recover: {
        parameters: {
            query?: {
                environment?: string;
                stage?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    to: {
                        /** @enum {string} */
                        kind: "latest";
                    } | {
                        /** @enum {string} */
                        kind: "time";
                        atMs: number;
                    } | {
                        /** @enum {string} */
                        kind: "lsn";
                        lsn: string;
                    } | {
                        /** @enum {string} */
                        kind: "before-mark";
                        markKind: string;
                        name?: string;
                    } | {
                        /** @enum {string} */
                        kind: "restore-point";
                        name: string;
                    };
                    stores?: string[];
                    /** @default false */
                    inPlace?: boolean;
                    /**
                     * @description Write all data out before anything starts, instead of as it is touched
                     * @default false
                     */
                    full?: boolean;
                    /** @default false */
                    dryRun?: boolean;
                    /** @description Id that a dry run answered: what it showed is what is recovered, for ten minutes; it is chosen anew after them */
                    planned?: string;
                    /** @default [] */
                    accept?: string[];
                    owner?: string;
                    timeline?: number;
                };
            };
        };
        responses: {
            /** @description Default Response */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Recovery"];
                };
            };
            /** @description Default Response */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Failure"];
                };
            };
        };
    };
    getRecovery: {
        parameters: {
            query?: {
                waitMs?: number;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Recovery"];
                };
            };
            /** @description Default Response */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Failure"];
                };
            };
        };
    };
    promoteRecovery: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Recovery"];
                };
            };
            /** @description Default Response */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Failure"];
                };
            };
        };
    };
    undoRecovery: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Recovery"];
                };
            };
            /** @description Default Response */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Failure"];
                };
            };
        };
    };
    removeRecovery: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Recovery"];
                };
            };
            /** @description Default Response */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Failure"];
                };
            };
        };
    };
    resumeRecovery: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Recovery"];
                };
            };
            /** @description Default Response */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Failure"];
                };
            };
        };
    };
    pauseRecovery: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Recovery"];
                };
            };
            /** @description Default Response */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Failure"];
                };
            };
        };
    };
    leaveRecovery: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Recovery"];
                };
            };
            /** @description Default Response */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Failure"];
                };
            };
        };
    };
    hydrateRecovery: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    bytesPerSecond?: number;
                };
            };
        };
        responses: {
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Recovery"];
                };
            };
            /** @description Default Response */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Failure"];
                };
            };
        };
    };
    beginPart: {
        parameters: {
            query?: {
                environment?: string;
                stage?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    /** @enum {string} */
                    kind: "tables";
                    to: {
                        /** @enum {string} */
                        kind: "latest";
                    } | {
                        /** @enum {string} */
                        kind: "time";
                        atMs: number;
                    } | {
                        /** @enum {string} */
                        kind: "lsn";
                        lsn: string;
                    } | {
                        /** @enum {string} */
                        kind: "before-mark";
                        markKind: string;
                        name?: string;
                    } | {
                        /** @enum {string} */
                        kind: "restore-point";
                        name: string;
                    };
                    store?: string;
                    tables: string[];
                    where?: string;
                    /**
                     * @description new tables, or merged into those that are there
                     * @enum {string}
                     */
                    into: "new" | "existing";
                    as?: string;
                    /** @default false */
                    update?: boolean;
                    /** @default true */
                    undo?: boolean;
                    timeline?: number;
                    database?: string;
                    /** @description Address of a role that may write there, where the store's own may only read */
                    productionUrl?: string;
                    owner?: string;
                } | {
                    /** @enum {string} */
                    kind: "files";
                    to: {
                        /** @enum {string} */
                        kind: "latest";
                    } | {
                        /** @enum {string} */
                        kind: "time";
                        atMs: number;
                    } | {
                        /** @enum {string} */
                        kind: "lsn";
                        lsn: string;
                    } | {
                        /** @enum {string} */
                        kind: "before-mark";
                        markKind: string;
                        name?: string;
                    } | {
                        /** @enum {string} */
                        kind: "restore-point";
                        name: string;
                    };
                    store: string;
                    /** @description a file or folder below that of the store */
                    from: string;
                    as?: string;
                    /** @default false */
                    overwrite?: boolean;
                } | {
                    /** @enum {string} */
                    kind: "difference";
                    before: {
                        /** @enum {string} */
                        kind: "latest";
                    } | {
                        /** @enum {string} */
                        kind: "time";
                        atMs: number;
                    } | {
                        /** @enum {string} */
                        kind: "lsn";
                        lsn: string;
                    } | {
                        /** @enum {string} */
                        kind: "before-mark";
                        markKind: string;
                        name?: string;
                    } | {
                        /** @enum {string} */
                        kind: "restore-point";
                        name: string;
                    };
                    after: {
                        /** @enum {string} */
                        kind: "latest";
                    } | {
                        /** @enum {string} */
                        kind: "time";
                        atMs: number;
                    } | {
                        /** @enum {string} */
                        kind: "lsn";
                        lsn: string;
                    } | {
                        /** @enum {string} */
                        kind: "before-mark";
                        markKind: string;
                        name?: string;
                    } | {
                        /** @enum {string} */
                        kind: "restore-point";
                        name: string;
                    };
                    stores?: string[];
                    tables?: string[];
                    database?: string;
                    owner?: string;
                } | {
                    /** @enum {string} */
                    kind: "condition";
                    store?: string;
                    sql: string;
                    from?: {
                        /** @enum {string} */
                        kind: "latest";
                    } | {
                        /** @enum {string} */
                        kind: "time";
                        atMs: number;
                    } | {
                        /** @enum {string} */
                        kind: "lsn";
                        lsn: string;
                    } | {
                        /** @enum {string} */
                        kind: "before-mark";
                        markKind: string;
                        name?: string;
                    } | {
                        /** @enum {string} */
                        kind: "restore-point";
                        name: string;
                    };
                    to: {
                        /** @enum {string} */
                        kind: "latest";
                    } | {
                        /** @enum {string} */
                        kind: "time";
                        atMs: number;
                    } | {
                        /** @enum {string} */
                        kind: "lsn";
                        lsn: string;
                    } | {
                        /** @enum {string} */
                        kind: "before-mark";
                        markKind: string;
                        name?: string;
                    } | {
                        /** @enum {string} */
                        kind: "restore-point";
                        name: string;
                    };
                    /** @default 1000 */
                    precisionMs?: number;
                    database?: string;
                    owner?: string;
                };
            };
        };
        responses: {
            /** @description Default Response */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Part"];
                };
            };
            /** @description Default Response */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Failure"];
                };
            };
        };
    };
    getPart: {
        parameters: {
            query?: {
                waitMs?: number;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Part"];
                };
            };
            /** @description Default Response */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Failure"];
                };
            };
        };
    };
    listDifferences: {
        parameters: {
            query?: {
                from?: number;
                limit?: number;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": ({
                        /** @enum {string} */
                        kind: "table";
                        store: string;
                        database: string;
                        table: string;
                        /** @enum {string} */
                        change: "same" | "changed" | "added" | "removed";
                        inserted: number;
                        updated: number;
                        deleted: number;
                        byRow: boolean;
                        byFiles: boolean;
                        schema: string[];
                    } | {
                        /** @enum {string} */
                        kind: "file";
                        store: string;
                        path: string;
                        /** @enum {string} */
                        change: "added" | "changed" | "removed";
                    } | {
                        /** @enum {string} */
                        kind: "same";
                        store: string;
                    })[];
                };
            };
            /** @description Default Response */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Failure"];
                };
            };
        };
    };
    applyPart: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Part"];
                };
            };
            /** @description Default Response */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Failure"];
                };
            };
        };
    };
    discardPart: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Part"];
                };
            };
            /** @description Default Response */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Failure"];
                };
            };
        };
    };
    undoMerge: {
        parameters: {
            query?: {
                environment?: string;
                stage?: string;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    store?: string;
                    database?: string;
                    /** @description Address of a role that may write there, where the store's own may only read */
                    productionUrl?: string;
                };
            };
        };
        responses: {
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UndoneMerge"];
                };
            };
            /** @description Default Response */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Failure"];
                };
            };
        };
    };
    getServer: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Default Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Server"];
                };
            };
            /** @description Default Response */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Failure"];
                };
            };
        };
    };
    shutdown: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    /** @default false */
                    dropSlots?: boolean;
                };
            };
        };
        responses: {
            /** @description Default Response */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {boolean} */
                        stopping: true;
                    };
                };
            };
            /** @description Default Response */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Failure"];
                };
            };
        };
    };
}
