/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pkcs12.h - write the certificates of a name with their keys and chains as PKCS#12 */
#ifndef CD_PKCS12_H
#define CD_PKCS12_H

#include "base/buffer.h"
#include "certificate/certificate.h"

/**
 * Appends DER of all certificates (struct cd_certificate), which are one for each key type: encrypted with
 * AES-256 and a MAC of SHA-256, or for old readers with 3DES and SHA-1.
 * passphrase: UTF-8, ended by a NUL. Returns 0, CERTDEPLOY_EREFUSED (a cipher is missing) or
 * CERTDEPLOY_ENOMEM.
 */
int cd_pkcs12_write(struct cd_buffer *out, const struct cd_vector *certificates, const char *name,
		    const char *passphrase, bool legacy);

#endif
