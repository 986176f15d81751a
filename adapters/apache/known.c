/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * known.c - which directives and sections httpd's own modules bring, for <IfDirective> and <IfSection>
 *
 * Of httpd 2.4 up to KNOWN_PATCH. What is in no line may belong to a module of somebody else, so that
 * nothing can be said about it where there is one.
 */
#include "adapter.h"

#include <string.h>

#define KNOWN_PATCH 71

/* Modules that bring no directive. */
static const char silent[] =
	"asis authz_host authz_owner authz_user http lbmethod_bybusyness lbmethod_byrequests "
	"lbmethod_bytraffic mpm_event mpm_prefork mpm_worker proxy_ajp proxy_balancer proxy_fdpass "
	"proxy_http proxy_http2 proxy_uwsgi ratelimit slotmem_plain slotmem_shm socache_dbm socache_dc "
	"socache_shmcb status systemd unique_id watchdog";

/*
 * Of the core, and of MPMs outside of virtual hosts, those that act when all has been read: the first of
 * them gives a virtual host a configuration of the core. The usual ones come first.
 */
static const char of_core[] =
	"ServerName DocumentRoot ServerAdmin ServerAlias ErrorLog <Directory <DirectoryMatch <Else <ElseIf "
	"<Files <FilesMatch <If <Limit <LimitExcept <Location <LocationMatch <VirtualHost AcceptFilter "
	"AcceptPathInfo AccessFileName AddDefaultCharset AllowEncodedSlashes AllowOverride "
	"AllowOverrideList AsyncRequestWorkerFactor CGIPassAuth CGIVar ContentDigest CoreDumpDirectory "
	"DefaultType EnableExceptionHook EnableMMAP EnableSendfile Error ErrorDocument ErrorLogFormat "
	"ExtendedStatus FileETag FlushMaxPipelined FlushMaxThreshold ForceType GprofDir Group "
	"HostnameLookups HttpProtocolOptions LimitInternalRecursion LimitRequestBody LimitRequestFields "
	"LimitRequestFieldsize LimitRequestLine LimitXMLRequestBody Listen ListenBacklog "
	"ListenCoresBucketsRatio LogLevel MaxClients MaxConnectionsPerChild MaxMemFree MaxRangeOverlaps "
	"MaxRangeReversals MaxRanges MaxRequestsPerChild MaxRequestWorkers MaxSpareServers MaxSpareThreads "
	"MaxThreads MergeSlashes MergeTrailers MinSpareServers MinSpareThreads Mutex NameVirtualHost "
	"Options PidFile Port Protocol Protocols ProtocolsHonorOrder QualifyRedirectURL ReadBufferSize "
	"ReceiveBufferSize RegexDefaultOptions RegisterHttpMethod RLimitCPU RLimitMEM RLimitNPROC "
	"ScoreBoardFile SeeRequestTail SendBufferSize ServerLimit ServerPath ServerSignature ServerTokens "
	"SetHandler SetInputFilter SetOutputFilter StartServers StartThreads StrictHostCheck ThreadLimit "
	"ThreadsPerChild ThreadStackSize Timeout TraceEnable UNCList UseCanonicalName "
	"UseCanonicalPhysicalPort User";

static const struct {
	const char *module;
	const char *directives;
} known[] = {
	{"access_compat", "allow deny order Satisfy"},
	{"actions", "Action Script"},
	{"alias", "Alias AliasMatch AliasPreservePath Redirect RedirectMatch RedirectPermanent "
		  "RedirectRelative RedirectTemp ScriptAlias ScriptAliasMatch"},
	{"allowmethods", "AllowMethods"},
	{"auth_basic",
	 "AuthBasicAuthoritative AuthBasicFake AuthBasicProvider AuthBasicUseDigestAlgorithm"},
	{"auth_digest",
	 "AuthDigestAlgorithm AuthDigestDomain AuthDigestNcCheck AuthDigestNonceFormat "
	 "AuthDigestNonceLifetime AuthDigestProvider AuthDigestQop AuthDigestShmemSize AuthName"},
	{"auth_form",
	 "AuthFormAuthoritative AuthFormBody AuthFormDisableNoStore AuthFormFakeBasicAuth "
	 "AuthFormLocation AuthFormLoginRequiredLocation AuthFormLoginSuccessLocation "
	 "AuthFormLogoutLocation AuthFormMethod AuthFormMimetype AuthFormPassword AuthFormProvider "
	 "AuthFormSitePassphrase AuthFormSize AuthFormUsername"},
	{"authn_anon",
	 "Anonymous Anonymous_LogEmail Anonymous_MustGiveEmail Anonymous_NoUserID Anonymous_VerifyEmail"},
	{"authn_core", "<AuthnProviderAlias AuthName AuthType"},
	{"authn_dbd", "AuthDBDUserPWQuery AuthDBDUserRealmQuery"},
	{"authn_dbm", "AuthDBMType AuthDBMUserFile"},
	{"authn_file", "AuthUserFile"},
	{"authn_socache", "AuthnCacheContext AuthnCacheEnable AuthnCacheProvideFor AuthnCacheSOCache "
			  "AuthnCacheTimeout"},
	{"authnz_fcgi", "AuthnzFcgiCheckAuthnProvider AuthnzFcgiDefineProvider"},
	{"authnz_ldap",
	 "AuthLDAPAuthorizePrefix AuthLDAPBindAuthoritative AuthLDAPBindDN AuthLDAPBindPassword "
	 "AuthLDAPCharsetConfig AuthLDAPCompareAsUser AuthLDAPCompareDNOnServer "
	 "AuthLDAPDereferenceAliases AuthLDAPGroupAttribute AuthLDAPGroupAttributeIsDN "
	 "AuthLDAPInitialBindAsUser AuthLDAPInitialBindPattern AuthLDAPMaxSubGroupDepth "
	 "AuthLDAPRemoteUserAttribute AuthLDAPRemoteUserIsDN AuthLDAPSearchAsUser "
	 "AuthLDAPSubGroupAttribute AuthLDAPSubGroupClass AuthLDAPURL"},
	{"authz_core",
	 "<AuthzProviderAlias <RequireAll <RequireAny <RequireNone <RequireNotAll AuthMerging "
	 "AuthzSendForbiddenOnFailure Require"},
	{"authz_dbd", "AuthzDBDLoginToReferer AuthzDBDQuery AuthzDBDRedirectQuery"},
	{"authz_dbm", "AuthDBMGroupFile AuthzDBMType"},
	{"authz_groupfile", "AuthGroupFile"},
	{"autoindex", "AddAlt AddAltByEncoding AddAltByType AddDescription AddIcon AddIconByEncoding "
		      "AddIconByType DefaultIcon FancyIndexing HeaderName IndexHeadInsert IndexIgnore "
		      "IndexIgnoreReset IndexOptions IndexOrderDefault IndexStyleSheet ReadmeName"},
	{"brotli", "BrotliAlterETag BrotliCompressionMaxInputBlock BrotliCompressionQuality "
		   "BrotliCompressionWindow BrotliFilterNote"},
	{"buffer", "BufferSize"},
	{"cache", "CacheDefaultExpire CacheDetailHeader CacheDisable CacheEnable CacheHeader "
		  "CacheIgnoreCacheControl CacheIgnoreHeaders CacheIgnoreNoLastMod CacheIgnoreQueryString "
		  "CacheIgnoreURLSessionIdentifiers CacheKeyBaseURL CacheLastModifiedFactor CacheLock "
		  "CacheLockMaxAge CacheLockPath CacheMaxExpire CacheMinExpire CacheQuickHandler "
		  "CacheStaleOnError CacheStoreExpired CacheStoreNoStore CacheStorePrivate"},
	{"cache_disk", "CacheDirLength CacheDirLevels CacheMaxFileSize CacheMinFileSize CacheReadSize "
		       "CacheReadTime CacheRoot"},
	{"cache_socache", "CacheSocache CacheSocacheMaxSize CacheSocacheMaxTime CacheSocacheMinTime "
			  "CacheSocacheReadSize CacheSocacheReadTime"},
	{"cern_meta", "MetaDir MetaFiles MetaSuffix"},
	{"cgi", "CGIScriptTimeout ScriptLog ScriptLogBuffer ScriptLogLength"},
	{"cgid", "CGIDScriptTimeout ScriptLog ScriptLogBuffer ScriptLogLength ScriptSock"},
	{"charset_lite", "CharsetDefault CharsetOptions CharsetSourceEnc"},
	{"core",
	 "<IfDefine <IfDirective <IfFile <IfModule <IfSection DefaultRuntimeDir Define "
	 "GracefulShutdownTimeout Include IncludeOptional ListenTCPDeferAccept ServerRoot UnDefine"},
	{"core", of_core},
	{"dav", "DAV DAVBasePath DAVDepthInfinity DAVLockDiscovery DAVMinTimeout"},
	{"dav_fs", "DAVLockDB"},
	{"dav_lock", "DAVGenericLockDB"},
	{"dbd", "DBDExptime DBDInitSQL DBDKeep DBDMax DBDMin DBDParams DBDPersist DBDPrepareSQL DBDriver"},
	{"deflate", "DeflateAlterEtag DeflateBufferSize DeflateCompressionLevel DeflateFilterNote "
		    "DeflateInflateLimitRequestBody DeflateInflateRatioBurst DeflateInflateRatioLimit "
		    "DeflateMemLevel DeflateWindowSize"},
	{"dir", "DirectoryCheckHandler DirectoryIndex DirectoryIndexRedirect DirectorySlash "
		"FallbackResource"},
	{"dumpio", "DumpIOInput DumpIOOutput"},
	{"echo", "ProtocolEcho"},
	{"env", "PassEnv SetEnv UnsetEnv"},
	{"expires", "ExpiresActive ExpiresByType ExpiresDefault"},
	{"ext_filter", "ExtFilterDefine ExtFilterOptions"},
	{"file_cache", "cachefile mmapfile"},
	{"filter", "AddOutputFilterByType FilterChain FilterDeclare FilterProtocol FilterProvider "
		   "FilterTrace"},
	{"http2", "H2CopyFiles H2Direct H2EarlyHint H2EarlyHints H2MaxDataFrameLen H2MaxHeaderBlockLen "
		  "H2MaxSessionStreams H2MaxStreamErrors "
		  "H2MaxWorkerIdleSeconds H2MaxWorkers H2MinWorkers H2ModernTLSOnly H2OutputBuffering "
		  "H2Padding H2ProxyRequests H2Push H2PushDiarySize H2PushPriority H2PushResource "
		  "H2SerializeHeaders H2SessionExtraFiles H2StreamMaxMemSize H2StreamTimeout "
		  "H2TLSCoolDownSecs H2TLSWarmUpSize H2Upgrade H2WebSockets H2WindowSize"},
	{"headers", "Header RequestHeader"},
	{"heartbeat", "HeartbeatAddress"},
	{"heartmonitor", "HeartbeatListen HeartbeatMaxServers HeartbeatStorage"},
	{"ident", "IdentityCheck IdentityCheckTimeout"},
	{"imagemap", "ImapBase ImapDefault ImapMenu"},
	{"include", "SSIEndTag SSIErrorMsg SSIEtag SSILastModified SSILegacyExprParser SSIStartTag "
		    "SSITimeFormat SSIUndefinedEcho XBitHack"},
	{"info", "AddModuleInfo"},
	{"lbmethod_heartbeat", "HeartbeatStorage"},
	{"ldap", "LDAPCacheEntries LDAPCacheTTL LDAPConnectionPoolTTL LDAPConnectionTimeout "
		 "LDAPLibraryDebug LDAPOpCacheEntries LDAPOpCacheTTL LDAPReferralHopLimit LDAPReferrals "
		 "LDAPRetries LDAPRetryDelay LDAPSharedCacheFile LDAPSharedCacheSize LDAPTimeout "
		 "LDAPTrustedClientCert LDAPTrustedGlobalCert LDAPTrustedMode LDAPVerifyServerCert"},
	{"log_config", "BufferedLogs CustomLog GlobalLog LogFormat TransferLog"},
	{"log_debug", "LogMessage"},
	{"logio", "LogIOTrackTTFB"},
	{"log_forensic", "ForensicLog"},
	{"lua", "<LuaHookAccessChecker <LuaHookAuthChecker <LuaHookCheckUserID <LuaHookFixups "
		"<LuaHookMapToStorage <LuaHookPreTranslateName <LuaHookTranslateName <LuaHookTypeChecker "
		"<LuaQuickHandler LuaAuthzProvider LuaCodeCache LuaHookAccessChecker LuaHookAuthChecker "
		"LuaHookCheckUserID LuaHookFixups LuaHookInsertFilter LuaHookLog LuaHookMapToStorage "
		"LuaHookPreTranslateName LuaHookTranslateName LuaHookTypeChecker LuaInherit "
		"LuaInputFilter LuaMapHandler LuaOutputFilter LuaPackageCPath LuaPackagePath "
		"LuaQuickHandler LuaRoot LuaScope"},
	{"macro", "<Macro MacroIgnoreBadNesting MacroIgnoreEmptyArgs UndefMacro Use"},
	{"md", "<MDomain <MDomainSet MDActivationDelay MDBaseServer MDCACertificateFile MDCAChallenges "
	       "MDCertificateAgreement MDCertificateAuthority MDCertificateCheck MDCertificateFile "
	       "MDCertificateKeyFile MDCertificateProtocol MDCertificateStatus MDChallengeDns01 "
	       "MDChallengeDns01Version MDCheckInterval MDContactEmail MDDriveMode "
	       "MDExternalAccountBinding MDHttpProxy MDHttpProxyCACertificateFile MDInitialDelay "
	       "MDMatchNames MDMember MDMembers MDMessageCmd "
	       "MDMustStaple MDNotifyCmd MDomain MDPortMap MDPrivateKeys MDProfile MDProfileMandatory "
	       "MDRenewMode MDRenewViaARI MDRenewWindow "
	       "MDRequireHttps MDRetryDelay MDRetryFailover MDServerStatus MDStapleOthers MDStapling "
	       "MDStaplingKeepResponse MDStaplingRenewWindow MDStoreDir MDStoreLocks MDWarnWindow"},
	{"mime", "AddCharset AddEncoding AddHandler AddInputFilter AddLanguage AddOutputFilter AddType "
		 "DefaultLanguage KeepAlive KeepAliveTimeout MaxKeepAliveRequests ModMimeUsePathInfo "
		 "MultiviewsMatch RemoveCharset RemoveEncoding RemoveHandler RemoveInputFilter "
		 "RemoveLanguage RemoveOutputFilter RemoveType TypesConfig"},
	{"mime_magic", "MimeMagicFile"},
	{"negotiation", "CacheNegotiatedDocs ForceLanguagePriority LanguagePriority"},
	{"proxy",
	 "<Proxy <ProxyMatch BalancerGrowth BalancerInherit BalancerMember BalancerPersist NoProxy "
	 "Proxy100Continue ProxyAddHeaders ProxyBadHeader ProxyBlock ProxyDomain "
	 "ProxyErrorOverride ProxyIOBufferSize ProxyMaxForwards ProxyPass ProxyPassInherit "
	 "ProxyPassInterpolateEnv ProxyPassMatch ProxyPassReverse ProxyPassReverseCookieDomain "
	 "ProxyPassReverseCookiePath ProxyPreserveHost ProxyReceiveBufferSize ProxyRemote "
	 "ProxyRemoteMatch ProxyRequests ProxySet ProxySourceAddress ProxyStatus ProxyTimeout "
	 "ProxyVia"},
	{"proxy_connect", "AllowCONNECT"},
	{"proxy_express", "ProxyExpressDBMFile ProxyExpressDBMType ProxyExpressEnable"},
	{"proxy_fcgi", "ProxyFCGIBackendType ProxyFCGISetEnvIf"},
	{"proxy_ftp", "ProxyFtpDirCharset ProxyFtpEscapeWildcards ProxyFtpListOnWildcard"},
	{"proxy_hcheck", "ProxyHCExpr ProxyHCTemplate ProxyHCTPsize"},
	{"proxy_html",
	 "ProxyHTMLBufSize ProxyHTMLCharsetOut ProxyHTMLDoctype ProxyHTMLEnable ProxyHTMLEvents "
	 "ProxyHTMLExtended ProxyHTMLFixups ProxyHTMLInterp ProxyHTMLLinks ProxyHTMLMeta "
	 "ProxyHTMLStripComments ProxyHTMLURLMap"},
	{"proxy_scgi", "ProxySCGIInternalRedirect ProxySCGISendfile"},
	{"proxy_wstunnel", "ProxyWebsocketFallbackToProxyHttp"},
	{"reflector", "ReflectorHeader"},
	{"remoteip", "RemoteIPHeader RemoteIPInternalProxy RemoteIPInternalProxyList RemoteIPProxiesHeader "
		     "RemoteIPProxyProtocol RemoteIPProxyProtocolExceptions RemoteIPTrustedProxy "
		     "RemoteIPTrustedProxyList"},
	{"request", "KeptBodySize"},
	{"reqtimeout", "RequestReadTimeout"},
	{"rewrite", "RewriteBase RewriteCond RewriteEngine RewriteMap RewriteOptions RewriteRule"},
	{"sed", "InputSed OutputSed"},
	{"session", "Session SessionEnv SessionExclude SessionExpiryUpdateInterval SessionHeader "
		    "SessionInclude SessionMaxAge"},
	{"session_cookie", "SessionCookieName SessionCookieName2 SessionCookieRemove"},
	{"session_crypto", "SessionCryptoCipher SessionCryptoDriver SessionCryptoPassphrase "
			   "SessionCryptoPassphraseFile"},
	{"session_dbd",
	 "SessionDBDCookieName SessionDBDCookieName2 SessionDBDCookieRemove SessionDBDDeleteLabel "
	 "SessionDBDInsertLabel SessionDBDPerUser SessionDBDSelectLabel SessionDBDUpdateLabel"},
	{"setenvif", "BrowserMatch BrowserMatchNoCase SetEnvIf SetEnvIfExpr SetEnvIfNoCase"},
	{"so", "LoadFile LoadModule"},
	{"socache_memcache", "MemcacheConnTTL"},
	{"socache_redis", "RedisConnPoolTTL RedisTimeout"},
	{"speling", "CheckBasenameMatch CheckCaseOnly CheckSpelling"},
	{"ssl", "SSLCACertificateFile SSLCACertificatePath SSLCADNRequestFile SSLCADNRequestPath "
		"SSLCARevocationCheck SSLCARevocationFile SSLCARevocationPath SSLCertificateChainFile "
		"SSLCertificateFile SSLCertificateKeyFile SSLCipherSuite SSLCompression SSLCryptoDevice "
		"SSLEngine SSLFIPS SSLHonorCipherOrder SSLInsecureRenegotiation SSLLog SSLLogLevel "
		"SSLname SSLOCSPDefaultResponder SSLOCSPEnable SSLOCSPNoVerify SSLOCSPOverrideResponder "
		"SSLOCSPProxyURL SSLOCSPResponderCertificateFile SSLOCSPResponderTimeout "
		"SSLOCSPResponseMaxAge SSLOCSPResponseTimeSkew SSLOCSPUseRequestNonce SSLOpenSSLConfCmd "
		"SSLOptions SSLPassPhraseDialog SSLProtocol SSLProxyCACertificateFile "
		"SSLProxyCACertificatePath SSLProxyCARevocationCheck SSLProxyCARevocationFile "
		"SSLProxyCARevocationPath SSLProxyCheckPeerCN SSLProxyCheckPeerExpire "
		"SSLProxyCheckPeerName SSLProxyCipherSuite SSLProxyEngine "
		"SSLProxyMachineCertificateChainFile SSLProxyMachineCertificateFile "
		"SSLProxyMachineCertificatePath SSLProxyProtocol SSLProxyVerify SSLProxyVerifyDepth "
		"SSLRandomSeed SSLRenegBufferSize SSLRequire SSLRequireSSL SSLSessionCache "
		"SSLSessionCacheTimeout SSLSessionTicketKeyFile SSLSessionTickets SSLSRPUnknownUserSeed "
		"SSLSRPVerifierFile SSLStaplingCache SSLStaplingErrorCacheTimeout SSLStaplingFakeTryLater "
		"SSLStaplingForceURL SSLStaplingResponderTimeout SSLStaplingResponseMaxAge "
		"SSLStaplingResponseTimeSkew SSLStaplingReturnResponderErrors "
		"SSLStaplingStandardCacheTimeout SSLStrictSNIVHostCheck SSLUserName SSLUseStapling "
		"SSLVHostSNIPolicy "
		"SSLVerifyClient SSLVerifyDepth"},
	{"substitute", "Substitute SubstituteInheritBefore SubstituteMaxLineLength"},
	{"suexec", "SuexecUserGroup"},
	{"unixd", "ChrootDir Group Suexec User"},
	{"userdir", "UserDir"},
	{"usertrack", "CookieDomain CookieExpires CookieHttpOnly CookieName CookieSameSite CookieSecure "
		      "CookieStyle CookieTracking"},
	{"version", "<IfVersion"},
	{"vhost_alias",
	 "VirtualDocumentRoot VirtualDocumentRootIP VirtualScriptAlias VirtualScriptAliasIP"},
	{"xml2enc", "xml2EncAlias xml2EncDefault xml2StartParse"},
};

/* Whether a list of words has a name. */
static bool has_word(const char *list, const char *name, size_t length)
{
	while (*list != '\0') {
		size_t own = strcspn(list, " ");

		if (own == length && apache_compare_caseless(list, name, length) == 0)
			return true;
		list += own + strspn(list + own, " ");
	}
	return false;
}

bool apache_is_of_core(const char *name, size_t length)
{
	return has_word(of_core, name, length);
}

bool apache_is_own_module(const char *name, size_t length)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strlen(known[i].module) == length && strncmp(known[i].module, name, length) == 0)
			return true;
	return has_word(silent, name, length);
}

int apache_directive_is(const struct apache_model *model, const char *name, bool section)
{
	const char *wanted = name;
	size_t length = strlen(name);
	char with_bracket[128];
	int result = -1;

	if (section) {
		if (length + 1 >= sizeof(with_bracket))
			return -1;
		with_bracket[0] = '<';
		memcpy(with_bracket + 1, name, length);
		wanted = with_bracket;
		length++;
	}
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (!has_word(known[i].directives, wanted, length))
			continue;
		if (strcmp(known[i].module, "core") == 0 ||
		    apache_module_has(model->modules, known[i].module))
			return 1;
		result = 0;
	}
	if (result < 0 && apache_version_compare(&model->version, 2, 4, KNOWN_PATCH) <= 0 &&
	    apache_modules_are_own(model->modules))
		return 0;
	return result;
}
